"""What an answer is owed to: facts over time, slots, tokens, probes, and a what-if as a trace of its own."""
