"""Wrap, train, run and record Recurrent Memory Transformers, and see what their memory does.

    import rmt

    model = rmt.load("assets/checkpoints/detect")
    trace = rmt.record(model, "Mary went to the garden. ... Where is Mary?", detail="thin")
    other = rmt.what_if(model, trace, "reset@6")
    rmt.show(trace)  # in a notebook

A name is imported when it is first used, so that torch is loaded only where it is needed.
"""

from importlib import import_module

__version__ = "0.2.0"

_HOMES = {
    "InputError": "rmt.errors",
    "Trace": "rmt.trace",
    "TraceCallback": "rmt.train.trace_callback",
    "inspect": "rmt.checkpoint",
    "load": "rmt.checkpoint",
    "record": "rmt.recorder",
    "replay": "rmt.recorder",
    "show": "rmt.viewer.page",
    "untrained": "rmt.checkpoint",
    "what_if": "rmt.causes.what_if",
    "why": "rmt.causes.why",
    "widget": "rmt.notebook",
    "wrap": "rmt.checkpoint.wrapped",
}
__all__ = [*_HOMES]


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'rmt' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
