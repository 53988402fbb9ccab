"""Forms: what a visitor chooses and starts on one page."""
