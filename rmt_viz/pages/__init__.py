"""Pages, one file each: they pick a run, call, caption and draw, and compute nothing."""
