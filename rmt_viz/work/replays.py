"""Segments run again for the pages: whole attention maps and slots as words, on a thread of their own, kept a while."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from rmt.errors import InputError
from rmt.trace import SegmentRecord
from rmt_viz.shelf.library import Run
from rmt_viz.work.queue import Cancel, Job, Worker

PATIENCE = 0.35  # seconds that a viewer's request waits for its answer before it is told to ask again,
COLD = 0.02  # and before anything was run: torch comes in then, and whoever steps on meanwhile is not held up
AGAIN_MS = 250
FORGOTTEN = 2.0  # seconds after which what nobody asks for any more is not run
ROOM = 64 << 20  # bytes of maps kept
LARGEST = 1 << 30  # bytes of one segment's maps
KEPT = 512  # answers


@dataclass
class Asked:
    """A replay somebody wants: its job and when it was last asked for."""

    job: Job
    at: float


class Replays:
    """Runs segments again when they are asked for, one after another, and keeps the last ones.

    open_model: run -> its model; raises InputError where its weights are not here. Called on the worker's thread.
    """

    def __init__(self, open_model: Callable):
        self.open_model, self.worker = open_model, Worker(1)
        self.lock, self.asked, self.warm = threading.Lock(), OrderedDict(), False

    def ask(self, run: Run, segment: int, work: Callable, wait: float | None = None) -> Job:
        """The job of work(model, run, segment), done or on its way; asked again until it is done."""
        key = (run.id, segment, work.__name__)
        with self.lock:
            asked = self.asked.get(key)
            if asked is None or asked.job.state == "cancelled":
                asked = self.asked[key] = Asked(Job(work), time.monotonic())
                asked.job = self.worker.submit(lambda _: self._run(asked, run, segment, work), name="")
            asked.at = time.monotonic()
            self.asked.move_to_end(key)
            self._make_room()
        asked.job.ended.wait((PATIENCE if self.warm else COLD) if wait is None else wait)
        return asked.job

    def _run(self, asked: Asked, run: Run, segment: int, work: Callable):
        if time.monotonic() - asked.at > FORGOTTEN:
            raise Cancel
        found = work(self.open_model(run), run, segment)
        self.warm = True
        return found

    def _make_room(self) -> None:
        size = 0
        for key, asked in reversed(list(self.asked.items())):
            size += getattr(getattr(asked.job.result, "attention", None), "nbytes", 0)
            if not asked.job.live and (size > ROOM or len(self.asked) > KEPT):
                del self.asked[key]


def whole_maps(model, run: Run, segment: int) -> SegmentRecord:
    """The segment with its attention (L, H, N, N)."""
    from rmt.recorder import replay

    record, backbone = run.trace.segments[segment], model.backbone
    rows = record.end - record.start + model.cell.room(backbone.causal)
    size = 4 * backbone.n_layers * backbone.n_heads * rows**2
    if size > LARGEST:
        raise InputError(
            f"The whole maps of this segment are {size / 1e9:.1f} GB, too much to show; record the text with shorter "
            "segments to see them."
        )
    return replay(model, run.trace, segment)


def slots_as_words(model, run: Run, segment: int):
    """The `rmt.model.readout.Readout` of the state after a segment."""
    from rmt.model.readout import read_slots

    record = run.trace.segments[segment]
    return read_slots(model, record.memory_before, record.memory)
