"""Results of finished samples on disk, from which a killed evaluation resumes."""

import json
from collections.abc import Iterable
from pathlib import Path

from rmt.errors import InputError
from rmt.files import naming, written_whole


class Kept:
    """A file of results: a line of settings, then one JSON line per batch of samples; an incomplete line is ignored.

    path: None to keep nothing. settings: all that a sample's result depends on; a file of other settings is refused.
    Process i of several writes to a file of its own, the path with .i appended, and all are read.
    """

    def __init__(self, path: Path | None, settings: dict, process: int = 0):
        self.path = path.with_name(f"{path.name}.{process}") if path and process else path
        self.settings = settings
        self.lines: list[dict] = []
        files = [path, *path.parent.glob(f"{path.name}.[0-9]*")] if path else []
        for file in filter(Path.is_file, files):
            self.lines += self._read(file)

    def add(
        self, segments: int, samples: list[int], right: list[bool], confidence: list[float], seconds: float
    ) -> None:
        """Add the results of a batch: which answers were right, and the probability that the model gave each."""
        line = {
            "segments": segments, "samples": samples, "right": right,
            "confidence": [round(one, 4) for one in confidence], "seconds": round(seconds, 3),
        }  # fmt: skip
        self.lines.append(line)
        if self.path:
            with naming(self.path), open(self.path, "a") as file:
                if not file.tell():
                    file.write(json.dumps({"settings": self.settings}) + "\n")
                file.write(json.dumps(line) + "\n")

    def _read(self, file: Path) -> list[dict]:
        """Read the complete lines of a file; an incomplete one at the end of this process's own file is cut off."""
        try:
            text = file.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            lines = [json.loads(line) for line in whole.splitlines()]
            if not whole and not json.dumps({"settings": self.settings}).startswith(text):
                raise ValueError  # not the beginning of our first line, so another file, which must not be changed
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
        if whole != text and file == self.path:  # other processes' files may be in the middle of a write
            with written_whole(file) as part:
                part.write_text(whole, encoding="utf-8")
        return lines


def tally(lines: Iterable[dict], segments: int, samples: int) -> tuple[dict[int, bool], float]:
    """The finished samples of one length, below number `samples`, with whether each is right; and their seconds."""
    pairs_so_far, seconds = [], 0.0
    for line in lines:
        pairs = list(zip(line["samples"], line["right"], strict=True))
        if line["segments"] == segments:
            pairs_so_far += pairs
            seconds += line["seconds"]
    return {i: right for i, right in pairs_so_far if i < samples}, seconds


def confidences(lines: Iterable[dict], segments: int, samples: int) -> dict[int, float]:
    """The probabilities given to the answers of those samples; lines of files from before they were kept have none."""
    known = {}
    for line in lines:
        if line["segments"] == segments:
            known |= dict(zip(line["samples"], line.get("confidence", ()), strict=False))
    return {i: one for i, one in known.items() if i < samples}
