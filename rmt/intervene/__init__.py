"""Interventions: a run's memory, text or attention is changed, and the run is read again from the first change on.

Names are imported when they are first used, so that `rmt.intervene.changes` can be imported without torch.
"""

from importlib import import_module

__all__ = ["RESET", "Progress", "Reading", "ask", "intervene", "read", "recalled"]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("rmt.intervene.reading"), name)
