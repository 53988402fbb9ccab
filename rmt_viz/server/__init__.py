"""Routes, headers and the address of the app."""
