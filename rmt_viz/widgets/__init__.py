"""Shared parts of pages: a figure with its numbers, progress, errors, links."""
