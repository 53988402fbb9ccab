"""The folder of a training run: its metrics (metrics.jsonl), and the state that the same command resumes from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from rmt.errors import InputError


@dataclass(frozen=True)
class RunFolder:
    """A run's folder. config: the dataclass of its settings. main: whether this process writes to it."""

    path: Path
    config: object
    main: bool = True

    def write(self, line: dict) -> None:
        """Add a line of metrics."""
        if self.main:
            with open(self.path / "metrics.jsonl", "a") as file:
                file.write(json.dumps(line) + "\n")

    def save(self, state: dict) -> None:
        """Save the state that a resumed run needs; the file appears whole or not at all."""
        if self.main:
            part = self.path / "resume.pt.part"
            torch.save({"config": asdict(self.config), **state}, part)
            part.replace(self.path / "resume.pt")

    def saved(self) -> dict | None:
        """Read the saved state, None in a new folder. Raises InputError where that run had other settings."""
        file, config = self.path / "resume.pt", asdict(self.config)
        if not file.exists():
            return None
        saved = torch.load(file, map_location="cpu", weights_only=True)
        other = [name for name, value in config.items() if saved["config"].get(name) != value]
        if other:
            raise InputError(
                f"{self.path} holds a run with other settings ({', '.join(other)}); "
                "give the same ones, or another folder."
            )
        return saved

    def trim(self, step: int) -> None:
        """Remove the metrics of steps after this one, which a resumed run takes again."""
        metrics = self.path / "metrics.jsonl"
        if self.main:
            lines = metrics.read_text().splitlines(keepends=True) if metrics.exists() else []
            metrics.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))
