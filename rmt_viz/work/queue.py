"""A queue of jobs for one worker thread: jobs run one after another, report progress and can be cancelled."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from rmt.errors import InputError

SORRY = "Something went wrong in this run; nothing was kept. The server’s log has the details."


class Cancel(BaseException):  # not an Exception: no handler on the way may swallow it
    """Raised inside a job that was asked to stop."""


@dataclass
class Job:
    """A piece of work and its progress. state: waiting, running, done, cancelled or failed; error is a sentence.

    about: what the job works on, for the page that shows it.
    """

    work: Callable
    about: object = None
    state: str = "waiting"
    done: int = 0
    total: int = 0
    result: object = None
    error: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def live(self) -> bool:
        """Whether the job waits or runs."""
        return self.state in ("waiting", "running")

    def progress(self, done: int, total: int) -> None:
        """Called by the work after each step; raises Cancel when it is to stop."""
        if self.stop.is_set():
            raise Cancel
        self.done, self.total = done, total

    def run(self) -> None:
        """Run the work, once; never raises."""
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
        except Exception:
            logging.getLogger(__name__).exception("a job failed")
            self.error, self.state = SORRY, "failed"


class Worker:
    """Runs jobs one after another on one thread."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(1, thread_name_prefix="job")

    def submit(self, work: Callable, about: object = None) -> Job:
        """Queue a job: work(progress) is called when its turn comes; progress(done, total) reports and may stop it."""
        job = Job(work, about)
        self.pool.submit(job.run)
        return job
