"""What causes an answer, by intervention: facts over time, slots, tokens, probes, and what-ifs as traces."""
