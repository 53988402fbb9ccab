"""A queue of work that pages ask for until it is done, on a thread of its own, with a cache of the last results."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from rmt_viz.work import engine
from rmt_viz.work.queue import Cancel, Job, Worker

PATIENCE = 0.35  # seconds that a request waits for its result before the viewer is told to ask again;
COLD = 0.02  # the same until the first work is done: importing torch takes longer than anybody should be held up
AGAIN_MS = 250
FORGOTTEN = 2.0  # seconds after its last request from which work is no longer worth doing
ROOM = 64 << 20  # bytes of results in the cache, as far as `OnDemand.size` counts them
KEPT = 512  # results in the cache


@dataclass
class WorkRequest:
    """Work that a page has asked for: its job, and when it was last asked for (seconds, monotonic)."""

    job: Job
    at: float


class OnDemand:
    """A queue of work, done one after another, with a cache of the last results. forgotten: see FORGOTTEN."""

    def __init__(self, *, forgotten: float = FORGOTTEN):
        self.worker, self.forgotten = Worker(1), forgotten
        self.lock, self.requests, self.warm = threading.Lock(), OrderedDict(), False

    def ask(self, key: Hashable, work: Callable, wait: float | None = None) -> Job:
        """The job of work(progress), done or on its way; a caller asks again until it is done. key: what is wanted."""
        with self.lock:
            request = self.requests.get(key)
            if request is None or request.job.state == "cancelled":
                request = self.requests[key] = WorkRequest(Job(work), time.monotonic())
                request.job = self.worker.submit(lambda progress: self._run(request, work, progress), name="")
            request.at = time.monotonic()
            self.requests.move_to_end(key)
            self._make_room()
        request.job.ended.wait((PATIENCE if self.warm else COLD) if wait is None else wait)
        return request.job

    def _run(self, request: WorkRequest, work: Callable, progress: Callable[[int, int], None]):
        def check(done: int, total: int) -> None:
            if time.monotonic() - request.at > self.forgotten:
                raise Cancel
            progress(done, total)

        check(0, 0)
        engine.load()  # which takes so long that a single question would be forgotten meanwhile
        result = work(check)
        self.warm = True
        return result

    def size(self, result: object) -> int:
        """The bytes of a result that count toward ROOM."""
        return 0

    def _make_room(self) -> None:
        """Drop the oldest results beyond ROOM bytes, or all old ones beyond KEPT results."""
        size = 0
        for key, request in reversed(list(self.requests.items())):
            size += self.size(request.job.result)
            if not request.job.live and (size > ROOM or len(self.requests) > KEPT):
                del self.requests[key]
