"""One runnable file per claim; each prints JSON: python -m benchmarks.<name> --json."""
