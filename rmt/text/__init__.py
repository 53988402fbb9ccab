"""Text to tokens, and tokens to segments."""
