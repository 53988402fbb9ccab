"""Replays of segments for the pages: whole attention maps and slots as words, on a thread of their own, cached."""

from collections.abc import Callable

import numpy as np

from rmt.errors import InputError
from rmt.trace import SegmentRecord
from rmt_viz.shelf.library import Run
from rmt_viz.work.on_demand import OnDemand
from rmt_viz.work.queue import Job

LARGEST = 1 << 30  # bytes of one segment's maps
NO_NUMBERS = (
    "The model that made this run returns no numbers here (nan): its weights are damaged, or they overflow. What was "
    "recorded is shown."
)


class Replays(OnDemand):
    """A queue of replays, run one after another, with a cache of the last results.

    open_model: run -> its model; raises InputError where its weights are not here. Called on the worker's thread.
    """

    def __init__(self, open_model: Callable):
        super().__init__()
        self.open_model = open_model

    def replay(self, run: Run, segment: int, work: Callable, wait: float | None = None) -> Job:
        """The job of work(model, run, segment), done or on its way; a caller asks again until it is done."""
        key = (run.id, segment, work.__name__)
        return self.ask(key, lambda progress: work(self.open_model(run), run, segment), wait)

    def size(self, result: object) -> int:
        """Bytes of a segment's maps."""
        return getattr(getattr(result, "attention", None), "nbytes", 0)


def whole_maps(model, run: Run, segment: int) -> SegmentRecord:
    """The replayed segment with its whole attention maps (L, H, N, N). Raises InputError where they are too large."""
    from rmt.recorder import replay

    record, backbone = run.trace.segments[segment], model.backbone
    if backbone.recurrent:
        raise InputError("A recurrent net has no attention, so there are no maps of this run; Memory shows its states.")
    rows = record.end - record.start + model.cell.room(backbone.causal)
    size = 4 * backbone.n_layers * backbone.n_heads * rows**2
    if size > LARGEST:
        raise InputError(
            f"The whole maps of this segment are {size / 1e9:.1f} GB, too much to show; record the text with shorter "
            "segments to see them."
        )
    return _of_numbers(replay(model, run.trace, segment), "attention")


def slots_as_words(model, run: Run, segment: int):
    """The `rmt.model.readout.Readout` of the state after a segment."""
    from rmt.model.readout import read_slots

    record = run.trace.segments[segment]
    return _of_numbers(read_slots(model, record.memory_before, record.memory), "score")


def _of_numbers(result, name: str):
    """The same result. Raises InputError where an array of it has nan in it."""
    if np.isnan(np.asarray(getattr(result, name))).any():
        raise InputError(NO_NUMBERS)
    return result
