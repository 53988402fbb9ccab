"""A run with its memory, text or attention changed, read again from there on. Its names are looked up when asked for:
`rmt.intervene.changes` is read without torch.
"""

from importlib import import_module

__all__ = ["RESET", "Progress", "Reading", "ask", "intervene", "read", "recalled"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("rmt.intervene.reading"), name)
