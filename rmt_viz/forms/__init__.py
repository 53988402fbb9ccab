"""What a visitor chooses and starts on a page."""
