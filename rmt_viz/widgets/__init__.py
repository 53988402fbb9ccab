"""Widgets that pages share: a figure with its numbers, progress, errors, links."""
