"""A queue of jobs: one works at a time, visitors take turns, jobs report progress and can be cancelled."""

import logging
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

from rmt.errors import InputError

SORRY = "Something went wrong in this run; nothing was kept. The server’s log has the details."
NO_MEMORY = "The server’s memory is not enough for this; take shorter segments or a shorter text, or try again later."
BUSY = "Too many people have work waiting here at the moment; try again in a few minutes."
AT_ONCE = 8  # visitors whose jobs take turns; what waits behind them has loaded nothing yet
TURN = 0.25  # seconds after which a job lets the next one go on, at its next step
MOST_WAITING, MOST_OWN = 64, 3  # jobs of all visitors; going or waiting, of one
NICE = 10  # of a job's thread: answers to viewers, of a millisecond or two, go first where there is no core for both
PATIENCE = 60  # seconds without a page after which a visitor's jobs end
LOG = logging.getLogger(__name__)


class Cancel(BaseException):  # not an Exception: no handler on the way may swallow it
    """Raised inside a job that was asked to stop."""


@dataclass(eq=False)
class Job:
    """A piece of work and its progress. state: waiting, running, done, cancelled or failed; error is a sentence.

    about: what the job works on, for the page that shows it. name: its kind, for the log. owner: the visitor, whose
    jobs run one after another. place(): how many jobs are begun before it. next_turn(): called at each step; returns
    when the job may go on.
    """

    work: Callable
    about: object = None
    owner: object = None
    name: str = "job"
    state: str = "waiting"
    done: int = 0
    total: int = 0
    result: object = None
    error: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    came: float = field(default_factory=time.monotonic)
    next_turn: Callable = int
    place: Callable = int

    @property
    def live(self) -> bool:
        """Whether the job waits or runs."""
        return self.state in ("waiting", "running")

    def progress(self, done: int, total: int) -> None:
        """Called by the work after each step; raises Cancel when it is to stop."""
        self.done, self.total = done, total
        self.next_turn()
        if self.stop.is_set() or getattr(self.owner, "gone", False):
            raise Cancel

    def run(self) -> None:
        try:
            self._run()
        finally:
            self.ended.set()

    def _run(self) -> None:
        if self.stop.is_set():
            self.state = "cancelled"
            return
        self.state = "running"
        try:
            self.result = self.work(self.progress)
            self.state = "done"
        except Cancel:
            self.state = "cancelled"
        except InputError as error:
            self.error, self.state = str(error), "failed"
        except BaseException as error:  # a panic of a library in Rust is no Exception, and SystemExit is none either
            LOG.exception("a job failed")
            self.error, self.state = NO_MEMORY if _lacks_memory(error) else SORRY, "failed"


def _lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch has no type of its own for that on a CPU."""
    return isinstance(error, MemoryError) or "allocate memory" in str(error) or "out of memory" in str(error)


def _give_way(prepare: Callable[[], object], nice: int) -> None:
    """Lower this thread's priority; on Linux alone a thread has one of its own.

    Before that all is prepared: replays and edits wait for it, too, and would wait at the lower priority.
    """
    with suppress(BaseException):  # the job prepares again, finds all done or fails itself, and says so
        prepare()
    if nice and sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)


class Worker:
    """Runs jobs on a few threads of which one works at any moment.

    A job goes on until its step after TURN seconds, then the next one does; so a short job ends soon beside long ones.
    Of one owner's jobs one is begun at a time, and of the others the one that has waited longest.
    """

    def __init__(self, at_once: int = AT_ONCE, turn: float = TURN, prepare: Callable[[], object] = int, nice: int = 0):
        """prepare: called before the work of each job, on its thread. nice: of these threads, see `NICE`."""
        self.at_once, self.turn, self.prepare = at_once, turn, prepare
        self.pool = ThreadPoolExecutor(at_once, "job", _give_way, (prepare, nice))
        self.changed = threading.Condition()
        self.waiting: list[Job] = []  # in the order they came
        self.line: list[Job] = []  # begun; the first one is at work
        self.since = 0.0  # when its turn began

    def submit(self, work: Callable, about: object = None, owner: object = None, name: str = "job") -> Job:
        """work(progress) is called when its turn comes; progress(done, total) reports, and may stop it.

        Raises InputError where too many jobs wait already.
        """

        def prepared(progress: Callable[[int, int], None]):
            self.prepare()
            return work(progress)

        job = Job(prepared, about, owner, name)
        job.next_turn, job.place = lambda: self._pass_on(job), lambda: self._place(job)
        with self.changed:
            for other in [other for other in self.waiting if other.stop.is_set()]:
                self.waiting.remove(other)
                other.run()  # which ends it
            if len(self.waiting) >= MOST_WAITING:
                raise InputError(BUSY)
            self.waiting.append(job)
            self._begin()
        return job

    def count(self) -> dict[str, int]:
        """How many jobs are begun, and how many wait behind them."""
        with self.changed:
            return {"running": len(self.line), "waiting": len(self.waiting)}

    def _begin(self) -> None:
        """Begin what may be begun. With the lock held."""
        for job in list(self.waiting):
            busy = job.owner is not None and any(other.owner == job.owner for other in self.line)
            if len(self.line) < self.at_once and not busy:
                self.waiting.remove(job)
                self.line.append(job)
                self.pool.submit(self._run, job)

    def _run(self, job: Job) -> None:
        self._wait(job)
        began = time.monotonic()
        try:
            job.run()
        finally:
            if job.name:
                took, waited = time.monotonic() - began, began - job.came
                LOG.info("%s %s after %.1f s, having waited %.1f s", job.name, job.state, took, waited)
            with self.changed:
                self.line.remove(job)
                self.since = time.monotonic()
                self._begin()
                self.changed.notify_all()

    def _wait(self, job: Job) -> None:
        with self.changed:
            self.changed.wait_for(lambda: self.line[0] is job)

    def _pass_on(self, job: Job) -> None:
        """Let the next job go on if this one has had its turn; return when this one may."""
        with self.changed:
            if len(self.line) > 1 and time.monotonic() - self.since >= self.turn:
                self.line.append(self.line.pop(0))
                self.since = time.monotonic()
                self.changed.notify_all()
        self._wait(job)

    def _place(self, job: Job) -> int:
        """How many jobs of others are begun before this one; 0 for one that is begun."""
        with self.changed:
            return 1 + self.waiting.index(job) if job in self.waiting else 0


class Jobs:
    """The jobs of one visitor. They end when the visitor has been away for PATIENCE seconds; a reload is no absence."""

    def __init__(self):
        self.jobs: list[Job] = []
        self.left = math.inf  # when the visitor's page was closed

    @property
    def gone(self) -> bool:
        """Whether nobody waits for these jobs any more."""
        return time.monotonic() - self.left > PATIENCE

    def leave(self) -> None:
        """The page was closed, or the connection to it was lost."""
        self.left = time.monotonic()

    def start(self, worker: Worker, work: Callable, about: object = None, name: str = "job") -> Job:
        """Raises InputError where the visitor has as many as one may have, or everybody together has."""
        self.jobs = [job for job in self.jobs if job.live and not job.stop.is_set()]
        if len(self.jobs) >= MOST_OWN:
            raise InputError(f"You have {MOST_OWN} things running here already; wait for one of them, or cancel it.")
        self.jobs.append(worker.submit(work, about, self, name))
        return self.jobs[-1]
