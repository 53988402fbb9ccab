"""A model of backbone and memory cell that reads documents of any length, and the loops over segments."""

from rmt.model.model import About, Model

__all__ = ["About", "Model"]
