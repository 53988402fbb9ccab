"""Benchmarks: one runnable file for each claim, which prints JSON: python -m benchmarks.<name> --json."""
