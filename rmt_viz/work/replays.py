"""Replays of segments for the pages: whole attention maps and slots as words, on a thread of their own, cached."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from rmt.errors import InputError
from rmt.trace import SegmentRecord
from rmt_viz.shelf.library import Run
from rmt_viz.work.queue import Cancel, Job, Worker

PATIENCE = 0.35  # seconds that a request waits for its replay before the viewer is told to ask again;
COLD = 0.02  # the same until the first replay has run: importing torch takes longer than anybody should be held up
AGAIN_MS = 250
FORGOTTEN = 2.0  # seconds after its last request from which a replay is no longer worth running
ROOM = 64 << 20  # bytes of maps in the cache
LARGEST = 1 << 30  # bytes of one segment's maps
KEPT = 512  # results in the cache


@dataclass
class ReplayRequest:
    """A replay that a page has asked for: its job, and when it was last asked for (seconds, monotonic)."""

    job: Job
    at: float


class Replays:
    """A queue of replays, run one after another, with a cache of the last results.

    open_model: run -> its model; raises InputError where its weights are not here. Called on the worker's thread.
    """

    def __init__(self, open_model: Callable):
        self.open_model, self.worker = open_model, Worker(1)
        self.lock, self.requests, self.warm = threading.Lock(), OrderedDict(), False

    def ask(self, run: Run, segment: int, work: Callable, wait: float | None = None) -> Job:
        """The job of work(model, run, segment), done or on its way; a caller asks again until it is done."""
        key = (run.id, segment, work.__name__)
        with self.lock:
            request = self.requests.get(key)
            if request is None or request.job.state == "cancelled":
                request = self.requests[key] = ReplayRequest(Job(work), time.monotonic())
                request.job = self.worker.submit(lambda _: self._run(request, run, segment, work), name="")
            request.at = time.monotonic()
            self.requests.move_to_end(key)
            self._make_room()
        request.job.ended.wait((PATIENCE if self.warm else COLD) if wait is None else wait)
        return request.job

    def _run(self, request: ReplayRequest, run: Run, segment: int, work: Callable):
        if time.monotonic() - request.at > FORGOTTEN:
            raise Cancel
        result = work(self.open_model(run), run, segment)
        self.warm = True
        return result

    def _make_room(self) -> None:
        """Drop the oldest results beyond ROOM bytes of maps, or all old ones beyond KEPT results."""
        size = 0
        for key, request in reversed(list(self.requests.items())):
            size += getattr(getattr(request.job.result, "attention", None), "nbytes", 0)
            if not request.job.live and (size > ROOM or len(self.requests) > KEPT):
                del self.requests[key]


def whole_maps(model, run: Run, segment: int) -> SegmentRecord:
    """The replayed segment with its whole attention maps (L, H, N, N). Raises InputError where they are too large."""
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
