"""One page each; they pick, call and draw, and compute nothing."""
