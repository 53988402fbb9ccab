"""Results of finished samples on disk, so that an evaluation that was killed goes on where it was."""

import json
from collections.abc import Iterable
from pathlib import Path

from rmt.errors import InputError
from rmt.files import naming, written_whole


class Kept:
    """One JSON line per batch of samples behind a line of settings; a line that was cut short is as if not written.

    path: where, None to keep nothing. settings: what decides a sample's result; a file of other settings is refused.
    Process i of several writes to a file of its own, the path with .i behind it, and all are read.
    """

    def __init__(self, path: Path | None, settings: dict, process: int = 0):
        self.path = path.with_name(f"{path.name}.{process}") if path and process else path
        self.settings = settings
        self.lines: list[dict] = []
        files = [path, *path.parent.glob(f"{path.name}.[0-9]*")] if path else []
        for file in filter(Path.is_file, files):
            self.lines += self._read(file)

    def add(self, segments: int, samples: list[int], right: list[bool], seconds: float) -> None:
        line = {"segments": segments, "samples": samples, "right": right, "seconds": round(seconds, 3)}
        self.lines.append(line)
        if self.path:
            with naming(self.path), open(self.path, "a") as file:
                if not file.tell():
                    file.write(json.dumps({"settings": self.settings}) + "\n")
                file.write(json.dumps(line) + "\n")

    def _read(self, file: Path) -> list[dict]:
        """The lines of a file that were written whole; what is behind them in this process's own file is cut off."""
        try:
            text = file.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            lines = [json.loads(line) for line in whole.splitlines()]
            if not whole and not json.dumps({"settings": self.settings}).startswith(text):
                raise ValueError  # not a first line that was cut short, so not ours to shorten
            settings = dict(lines.pop(0)["settings"]) if lines else self.settings
            tally(lines, 0, 0)
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise InputError(
                f"{file} does not hold results of an evaluation; give another file to keep them."
            ) from None
        if settings != self.settings:
            names = [key for key, value in self.settings.items() if settings.get(key) != value]
            raise InputError(
                f"{file} holds results of another evaluation ({', '.join(names)} differ); give another file."
            )
        if whole != text and file == self.path:  # who else reads this file at the moment must not find it half written
            with written_whole(file) as part:
                part.write_text(whole, encoding="utf-8")
        return lines


def tally(lines: Iterable[dict], segments: int, samples: int) -> tuple[dict[int, bool], float]:
    """Of one length, which samples below `samples` are done and whether each was right; seconds they took."""
    both, seconds = [], 0.0
    for line in lines:
        pairs = list(zip(line["samples"], line["right"], strict=True))
        if line["segments"] == segments:
            both += pairs
            seconds += line["seconds"]
    return {i: right for i, right in both if i < samples}, seconds
