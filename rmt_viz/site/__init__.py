"""A static site of recorded runs: files that any web server serves, with no Python behind them."""
