"""The library of traces: bundled ones by name, and runs made in a session by an id that nobody can guess."""

import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Collection
from itertools import chain, count
from pathlib import Path

from rmt.errors import InputError
from rmt.shipped import ASSETS
from rmt.trace import Trace
from rmt.viewer.slices import Run
from rmt_viz.shelf.kept_runs import KeptRuns

OWN = os.environ.get("RMT_VIZ_TRACES")  # a folder of a person's own traces, or one trace
SUFFIX = ".trace.safetensors"
LABELS = {"trained": "Trained", "reset": "Reset", "untrained": "Untrained"}
CONTROLS = tuple(LABELS)
BUNDLED = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(\.(reset|untrained))?")
LIVE = re.compile(r"live-[A-Za-z0-9_-]{16,64}(\.(reset|untrained))?")
NO_NAME, MOST_NAME = re.compile(r"[^a-z0-9_-]+"), 50  # an id has at most 64 letters
FIRST = "qa1"  # what a visitor sees first, where it is there
MOST_LIVE, MOST_OPEN = 64, 64


class Library:
    """Opens traces by id and keeps the last ones open; safe to use from many threads."""

    def __init__(self, folder: Path = ASSETS / "traces", kept: KeptRuns | None = None, own: Path | None = None):
        """kept: where runs made in a session outlive the server; None for nowhere. own: see `own_traces`."""
        self.folder, self.lock, self.kept, self.own = folder, threading.Lock(), kept, own
        self.opened: OrderedDict[str, tuple[tuple, Run]] = OrderedDict()  # id -> (which file it was, run)
        self.live: OrderedDict[str, Run] = OrderedDict()

    def names(self) -> list[str]:
        """The names of traces without their controls: a person's own, then the bundled ones, first FIRST."""
        names = {path.name.removesuffix(SUFFIX) for path in self.folder.glob(f"*{SUFFIX}")}
        return self.own_names() + sorted(
            (name for name in names if BUNDLED.fullmatch(name) and "." not in name), key=_first
        )

    def own_names(self) -> list[str]:
        """The ids of a person's own traces without their controls."""
        return [name for name in self._own() if "." not in name]

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

    def at_hand(self, id: str) -> Run | None:
        """The run of an id if it is open already and its file is as it was; waits for nobody who opens another one."""
        path, (which, run) = self._path(id), self.opened.get(id, (None, None))
        return self.live.get(id) or (run if path and which == _which(path) else None)

    def _bundled(self, id: str) -> Run:
        """A trace of the folder, opened again when its file is another one or was changed."""
        path = self._path(id)
        if path is None:
            self.opened.pop(id, None)
            raise InputError("There is no such trace here; choose another one.")
        which = _which(path)
        if id not in self.opened or self.opened[id][0] != which:
            self.opened.pop(id, None)
            self.opened[id] = which, Run(id, _whole(Trace.open(path)), "recorded")
            while len(self.opened) > MOST_OPEN:
                self.opened.popitem(last=False)
        return self.opened[id][1]

    def _path(self, id: str) -> Path | None:
        if not BUNDLED.fullmatch(id):
            return None
        own = self._own()
        path = own.get(id, self.folder / f"{id}{SUFFIX}")
        return path if path.is_file() else None

    def _own(self) -> dict[str, Path]:
        """A person's own traces by their ids; one that is called like a bundled trace gets another id."""
        traces = own_traces(self.own) if self.own else {}
        return {f"own-{id}" if (self.folder / f"{id}{SUFFIX}").is_file() else id: path for id, path in traces.items()}


def own_traces(place: Path) -> dict[str, Path]:
    """The traces of a folder, or one trace with its controls beside it: id -> file, in the order of their names.

    An id is the file's name in the letters that an address may have. detect.reset is the control of detect where that
    is there, too, and else a run as others are.
    """
    if place.is_dir():
        files = {_stem(path): path for path in sorted(place.glob(f"*{SUFFIX}"))}
    else:
        beside = {f"{_stem(place)}.{control}": control for control in CONTROLS[1:]}
        files = {_stem(place): place} | {stem: place.with_name(f"{stem}{SUFFIX}") for stem in beside}
        files = {stem: path for stem, path in files.items() if path.is_file()}
    ids: dict[str, str] = {}  # stem -> id
    for stem in sorted(files, key=len):  # runs before their controls
        run, _, control = stem.rpartition(".")
        if run in ids and control in CONTROLS[1:]:
            ids[stem] = with_control(ids[run], control)
        else:
            ids[stem] = _new_id(stem, ids.values())
    return {ids[stem]: path for stem, path in files.items()}


def _new_id(stem: str, taken: Collection[str]) -> str:
    first = NO_NAME.sub("-", stem.lower()).strip("-_")[:MOST_NAME] or "run"
    # Chained and not unpacked: count() has no end.
    return next(id for id in chain((first,), (f"{first}-{i}" for i in count(2))) if id not in taken)


def _stem(path: Path) -> str:
    return path.name.removesuffix(SUFFIX) if path.name.endswith(SUFFIX) else path.stem


def _which(path: Path) -> tuple[int, ...] | None:
    """Which file this is, and in which state; None for one that was deleted just now."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


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
