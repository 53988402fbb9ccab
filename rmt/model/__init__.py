"""Backbone and cell as one model that reads a document of any length."""

from rmt.model.model import About, Model

__all__ = ["About", "Model"]
