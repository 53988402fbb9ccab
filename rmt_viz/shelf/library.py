"""The library of traces: bundled ones by name, and runs made in a session by an id that nobody can guess."""

import os
import re
import secrets
import threading
from collections import OrderedDict
from pathlib import Path

from rmt.errors import InputError
from rmt.trace import Trace
from rmt.viewer.slices import Run
from rmt_viz.shelf.kept_runs import KeptRuns

ASSETS = Path(os.environ.get("RMT_VIZ_ASSETS") or Path(__file__).parents[2] / "assets")  # traces/ and checkpoints/
SUFFIX = ".trace.safetensors"
CONTROLS = ("trained", "reset", "untrained")
BUNDLED = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(\.(reset|untrained))?")
LIVE = re.compile(r"live-[A-Za-z0-9_-]{16,64}(\.(reset|untrained))?")
FIRST = "qa1"  # what a visitor sees first, where it is there
MOST_LIVE, MOST_OPEN = 64, 64


class Library:
    """Opens traces by id and keeps the last ones open; safe to use from many threads."""

    def __init__(self, folder: Path = ASSETS / "traces", kept: KeptRuns | None = None):
        """kept: where runs made in a session outlive the server; None for nowhere."""
        self.folder, self.lock, self.kept = folder, threading.Lock(), kept
        self.opened: OrderedDict[str, tuple[tuple, Run]] = OrderedDict()  # id -> (which file it was, run)
        self.live: OrderedDict[str, Run] = OrderedDict()

    def names(self) -> list[str]:
        """The names of the bundled traces without their controls, the one to begin with first."""
        names = {path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}")}
        return sorted((name for name in names if BUNDLED.fullmatch(name) and "." not in name), key=_first)

    def controls(self, name: str) -> list[str]:
        """The controls that a trace has, out of trained, reset and untrained."""
        return [control for control in CONTROLS if control == "trained" or self.has(with_control(name, control))]

    def add(self, trace: Trace, source: str = "live", *, of: str | None = None, maker=None, keep: bool = True) -> str:
        """Add a run made or uploaded in a session; the id that opens it. Beyond MOST_LIVE the oldest are dropped.

        of: the id of the run whose control this one is. maker: see `Run`. keep: over a restart of the server, where
        runs are kept.
        """
        id = with_control(of, trace.meta["control"]) if of else f"live-{secrets.token_urlsafe(16)}"
        run = Run(id, trace, source, maker)
        with self.lock:
            self.live[run.id] = run
            while len(self.live) > MOST_LIVE:
                self.live.popitem(last=False)
        if self.kept and keep:
            self.kept.keep(run.id, trace)
        return run.id

    def has(self, id: str) -> bool:
        """Whether an id opens a run."""
        if LIVE.fullmatch(id):
            return id in self.live or (self.kept is not None and self.kept.has(id))
        return self._path(id) is not None

    def open(self, id: str) -> Run:
        """The run of an id. Raises InputError where there is none."""
        with self.lock:
            run = self.live.get(id)
            if run is None and self.kept and LIVE.fullmatch(id) and (trace := self.kept.open(id)):
                run = self.live[id] = Run(id, _whole(trace), "live")
            return run or self._bundled(id)

    def _bundled(self, id: str) -> Run:
        """A trace of the folder, opened again when its file is another one or was changed."""
        path = self._path(id)
        if path is None:
            self.opened.pop(id, None)
            raise InputError("There is no such trace here; choose another one.")
        status = path.stat()
        which = (status.st_ino, status.st_size, status.st_mtime_ns)
        if id not in self.opened or self.opened[id][0] != which:
            self.opened.pop(id, None)
            self.opened[id] = which, Run(id, _whole(Trace.open(path)), "recorded")
            while len(self.opened) > MOST_OPEN:
                self.opened.popitem(last=False)
        return self.opened[id][1]

    def _path(self, id: str) -> Path | None:
        path = self.folder / f"{id}{SUFFIX}"
        return path if BUNDLED.fullmatch(id) and path.is_file() else None


def _whole(trace: Trace) -> Trace:
    if not trace.done:
        raise InputError(f"{trace.path.name} holds no whole segment yet; go on recording it.")
    trace.check_text()
    return trace


def with_control(name: str, control: str) -> str:
    """The id of a trace's control, such as detect.reset; of "trained" the trace's own."""
    return name if control == "trained" else f"{name}.{control}"


def _first(name: str) -> tuple:
    return name != FIRST, name
