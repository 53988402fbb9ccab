"""The engine's packages, imported whole before the first job works."""

import threading

IMPORTING = threading.Lock()


def load() -> None:
    """Import what jobs use, one thread at a time.

    Of two threads that import packages which import each other, one finds a package half there; its job would fail.
    """
    with IMPORTING:
        import rmt.causes.capacity
        import rmt.causes.carried_facts
        import rmt.causes.slot_effects
        import rmt.causes.what_if
        import rmt.causes.why
        import rmt.checkpoint.adapter
        import rmt.evaluate.mechanisms
        import rmt.model.readout
        import rmt.recorder
        import rmt.train.tasks  # noqa: F401
