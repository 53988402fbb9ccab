"""The folder of a training run: its metrics (metrics.jsonl), and the state that the same command resumes from."""

import json
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import torch

from rmt.checkpoint.build import TOKENIZER
from rmt.errors import InputError
from rmt.files import FolderLock, naming, remove, written_whole
from rmt.text.tokenizer import open_tokenizer

LOG = logging.getLogger(__name__)


class RunFolder:
    """A run's folder. Every file in it is whole at any moment, and one process at a time trains there."""

    def __init__(self, path: Path, config: object, *, main: bool = True):
        """config: the dataclass of the run's settings. main: whether this process writes to the folder.

        Raises InputError where another run is training in this folder.
        """
        self.path, self.config, self.main = path, config, main
        self.metrics, self.state = path / "metrics.jsonl", path / "resume.pt"
        self.tokenizer: str | None = None
        if main:
            path.mkdir(parents=True, exist_ok=True)
            self.lock = FolderLock.take(path)

    def write(self, line: dict) -> None:
        """Add a line of metrics."""
        if self.main:
            with naming(self.metrics), open(self.metrics, "a") as file:
                file.write(json.dumps(line) + "\n")

    def save(self, state: dict) -> None:
        """Save the state that a resumed run needs; the file appears whole or not at all, beside the one before."""
        if self.main:
            with written_whole(self.state) as part:
                torch.save({"config": asdict(self.config), "tokenizer": self.tokenizer, **state}, part)
                if self.state.exists():  # under both names, so that there is one at any moment
                    remove(self._before)
                    with suppress(OSError):  # a file system without links: then there is no older one
                        os.link(self.state, self._before)

    def saved(self) -> dict | None:
        """Read the newest saved state that is not damaged, None in a new folder.

        Raises InputError where that run had other settings.
        """
        saved = self._read(self.state) or self._read(self._before)
        if saved is None:
            return None
        other = [name for name, value in asdict(self.config).items() if saved["config"].get(name) != value]
        if other:
            raise InputError(
                f"{self.path} holds a run with other settings ({', '.join(other)}); "
                "give the same ones, or another folder."
            )
        return saved

    def trim(self, step: int) -> None:
        """Remove the metrics of steps after this one, which a resumed run takes again, and lines that were cut."""
        if self.main and self.metrics.exists():
            lines = self.metrics.read_text(encoding="utf-8", errors="replace").splitlines()
            with written_whole(self.metrics) as part:
                part.write_text("".join(f"{line}\n" for line in lines if _step(line) <= step))

    def make_tokenizer(self, make: Callable[[Path], None], *, again: bool = False) -> Path:
        """Make the file of the run's tokenizer and return its path; make(path) writes it where there is none.

        again: write it in any case. A damaged file is restored from the saved state. Raises InputError where there is
        none.
        """
        file = self.path / TOKENIZER
        if self.main:
            if again or not file.exists():
                with written_whole(file) as part:
                    make(part)
            try:
                open_tokenizer(file)
            except InputError:
                kept = (self.saved() or {}).get("tokenizer")
                if kept is None:
                    raise InputError(
                        f"{file} is damaged; copy it again, or delete it where this program made it."
                    ) from None
                with written_whole(file) as part:
                    part.write_text(kept, encoding="utf-8")
            self.tokenizer = file.read_text(encoding="utf-8")
        return file

    @property
    def _before(self) -> Path:
        return self.state.with_name("resume.before.pt")

    def _read(self, file: Path) -> dict | None:
        """None where there is no such file, or it is damaged, which is said."""
        if not file.exists():
            return None
        try:
            saved = torch.load(file, map_location="cpu", weights_only=True)
            dict(saved["config"]), saved["optimizer"], dict(saved["at"])
            return saved
        except Exception as error:  # the library raises whatever its parts trip over
            if isinstance(error, OSError) and error.errno:  # not the file: it may not be read, or its disk fails
                raise
            LOG.warning("%s is damaged: the run goes on from what was saved before it, or begins again.", file)
            return None


def _step(line: str) -> float:
    """The step of a line of metrics; endless for what is no whole line."""
    try:
        step = json.loads(line)["step"]
        return step if type(step) is int else float("inf")
    except (ValueError, TypeError, KeyError, RecursionError):
        return float("inf")
