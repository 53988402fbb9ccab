"""Work done when it is asked for, one after another on a thread of its own, and its results kept a while."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from rmt_viz.work.queue import Cancel, Job, Worker

PATIENCE = 0.35  # seconds that a viewer's request waits for its answer before it is told to ask again,
COLD = 0.02  # and before anything was run: torch comes in then, and whoever steps on meanwhile is not held up
AGAIN_MS = 250
FORGOTTEN = 2.0  # seconds after which what nobody asks for any more is not run
ROOM = 64 << 20  # bytes of results kept, as far as `OnDemand.size` tells
KEPT = 512  # answers


@dataclass
class Asked:
    """Work somebody wants: its job and when it was last asked for."""

    job: Job
    at: float


class OnDemand:
    """Does what is asked for, one after another, and keeps the last results. forgotten: see FORGOTTEN."""

    def __init__(self, *, forgotten: float = FORGOTTEN):
        self.worker, self.forgotten = Worker(), forgotten
        self.lock, self.asked, self.warm = threading.Lock(), OrderedDict(), False

    def ask(self, key: Hashable, work: Callable, wait: float | None = None) -> Job:
        """The job of work(progress), done or on its way; asked again until it is done. key: what is wanted."""
        with self.lock:
            asked = self.asked.get(key)
            if asked is None or asked.job.state == "cancelled":
                asked = self.asked[key] = Asked(Job(work), time.monotonic())
                asked.job = self.worker.submit(lambda progress: self._run(asked, work, progress))
            asked.at = time.monotonic()
            self.asked.move_to_end(key)
            self._make_room()
        asked.job.ended.wait((PATIENCE if self.warm else COLD) if wait is None else wait)
        return asked.job

    def _run(self, asked: Asked, work: Callable, progress: Callable[[int, int], None]):
        def wanted(done: int, total: int) -> None:
            if time.monotonic() - asked.at > self.forgotten:
                raise Cancel
            progress(done, total)

        wanted(0, 0)
        found = work(wanted)
        self.warm = True
        return found

    def size(self, result: object) -> int:
        """Bytes of a result that count."""
        return 0

    def _make_room(self) -> None:
        size = 0
        for key, asked in reversed(list(self.asked.items())):
            size += self.size(asked.job.result)
            if not asked.job.live and (size > ROOM or len(self.asked) > KEPT):
                del self.asked[key]
