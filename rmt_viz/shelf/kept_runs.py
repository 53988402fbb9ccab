"""Runs made in the app, kept in a folder so that they outlive the server: the newest ones, for some time."""

import os
import time
from contextlib import suppress
from pathlib import Path

from rmt.errors import InputError
from rmt.files import cache_folder
from rmt.trace import Trace

SUFFIX = ".trace.safetensors"
FOLDER = Path(os.environ.get("RMT_VIZ_RUNS") or cache_folder() / "runs")
DAYS, MOST, MOST_BYTES = 30, 64, 2_000_000_000
HALF = 3600  # seconds after which nobody is still writing a file
HOW_LONG = f"Kept here for {DAYS} days, as long as it is among the last {MOST} runs of this server."


class KeptRuns:
    """Traces on disk by the ids of their runs.

    A run that cannot be written, as on a full disk, is no error: it lives as long as the server does.
    """

    def __init__(self, folder: Path = FOLDER):
        self.folder = folder

    def keep(self, id: str, trace: Trace) -> None:
        """Write a run's trace into the folder."""
        with suppress(OSError, InputError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(trace.path.stat().st_size)
            trace.save(self._path(id))

    def open(self, id: str) -> Trace | None:
        """The trace of a run, or None where it is no longer kept."""
        try:
            return Trace.open(self._path(id)) if self.has(id) else None
        except InputError:  # damaged meanwhile
            return None

    def has(self, id: str) -> bool:
        """Whether a run is still kept."""
        try:
            return time.time() - self._path(id).stat().st_mtime < DAYS * 86400
        except OSError:
            return False

    def _path(self, id: str) -> Path:
        return self.folder / f"{id}{SUFFIX}"

    def _make_room(self, size: int) -> None:
        """Delete the traces that are too old, and the oldest ones until one more of this size (bytes) fits.

        What a killed server left half written goes, too.
        """
        for part in self.folder.glob(f"live-*{SUFFIX}.part"):
            if time.time() - part.stat().st_mtime > HALF:
                part.unlink(missing_ok=True)
        files = sorted(self.folder.glob(f"live-*{SUFFIX}"), key=lambda file: file.stat().st_mtime)
        total = size + sum(file.stat().st_size for file in files)
        for i, file in enumerate(files):
            old = time.time() - file.stat().st_mtime > DAYS * 86400
            if not old and len(files) - i < MOST and total <= MOST_BYTES:
                break
            total -= file.stat().st_size
            file.unlink(missing_ok=True)
