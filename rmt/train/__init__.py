"""Training of a memory: the curriculum of a task, streams, language models, and endless stories.

A name is imported when it is first used, so that reading the settings does not load torch.
"""

from importlib import import_module

_HOMES = {"TRAINING": "loop", "TraceCallback": "trace_callback", "TrainConfig": "config", "Trainer": "tasks"}
__all__ = [*_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'rmt.train' has no attribute {name!r}")
    return getattr(import_module(f"rmt.train.{_HOMES[name]}"), name)
