"""Text becomes tokens, and tokens become segments."""
