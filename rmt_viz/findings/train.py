"""Findings of Train: training curves by stage, and one text read at several moments of training. Numpy only."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from rmt.errors import InputError
from rmt.measure import KNOWN, knows
from rmt.viewer.slices import Run

STEP = re.compile(r"(?:own-)?step-([0-9]{1,12})")  # the ids of traces that were recorded in training
UNITS = {"step": "steps", "seconds": "seconds", "tokens": "tokens"}


@dataclass(frozen=True)
class Stage:
    """A stage of a curriculum: its name, and the indices of its first and last line of metrics."""

    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Reading:
    """A text read at a moment of training. knows (S + 1,): P(answer) if the question came after s segments.

    run: the id that opens the run in Watch.
    """

    label: str
    step: int
    knows: tuple[float, ...]
    run: str


def read(path: Path) -> list[dict]:
    """The lines of a metrics.jsonl; a last line that a kill cut short is left out. Raises InputError without any."""
    try:
        texts = path.read_text().splitlines()
    except OSError:
        raise InputError(f"{path.parent.name} has no metrics.jsonl, so its curves are not known.") from None
    lines = []
    for text in texts:
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    if not lines:
        raise InputError(f"The metrics.jsonl of {path.parent.name} holds no line; train it again.")
    return lines


def stages(lines: Sequence[dict]) -> list[Stage]:
    """The stages of a run, in the order of training."""
    result, at = [], 0
    for name, group in groupby(lines, key=lambda line: line["stage"]):
        n = len(list(group))
        result.append(Stage(name, at, at + n - 1))
        at += n
    return result


def curriculum(lines: Sequence[dict]) -> list[dict]:
    """The lines of the curriculum, before the streams; all lines where there is nothing else."""
    return [line for line in lines if line["stage"] != "streaming"] or list(lines)


def steps_of(stage: Stage, lines: Sequence[dict]) -> int:
    """How many steps a stage took."""
    return lines[stage.last]["step"] - (lines[stage.first - 1]["step"] if stage.first else 0)


def finding(lines: Sequence[dict]) -> str:
    """A sentence on which stage was hardest."""
    taught = [stage for stage in stages(lines) if stage.name != "streaming"]
    if not taught:
        return f"{lines[-1]['step']:,} steps of streams"
    hardest = max(taught, key=lambda stage: steps_of(stage, lines))
    n, total = steps_of(hardest, lines), lines[taught[-1].last]["step"]
    streamed = lines[-1]["step"] - total
    sentence = f"“{hardest.name}” is the hardest stage: {n:,} of {total:,} steps of the curriculum"
    return sentence + (f", then {streamed:,} steps of streams" if streamed else "")


def table(lines: Sequence[dict]) -> dict[str, list]:
    """Columns of the metrics: a row for each line."""
    names = ["step", "stage", "loss", "accuracy", "stream_loss", "stream_accuracy", "tokens", "seconds"]
    return {
        name: [line.get(name, "" if name == "stage" else np.nan) for line in lines]
        for name in names
        if any(name in line for line in lines)
    }


def recorded_readings(runs: Sequence[Run]) -> tuple[list[Reading], str]:
    """The readings that `rmt.TraceCallback` recorded, in the order of training, and what they hold.

    That is "P(answer)" where the text ends in a question, else "loss": of each segment the mean over its tokens. Runs
    of another name, or over another text than the newest, are left out.
    """
    steps = sorted((int(match[1]), run) for run in runs if (match := STEP.fullmatch(run.id)))
    steps = [(step, run) for step, run in steps if run.text == steps[-1][1].text]
    answered = bool(steps) and np.isfinite(knows(steps[-1][1].trace)).all()
    values = [knows(run.trace) if answered else run.measures.loss for _, run in steps]
    readings = [
        Reading("", step, tuple(map(float, row)), run.id)
        for (step, run), row in zip(steps, values, strict=True)
        if np.isfinite(row).any()
    ]
    return readings, "P(answer)" if answered else "loss"


def loss_finding(readings: Sequence[Reading]) -> str:
    """A sentence on how the loss of the text's segments changed over training."""
    first, last = (np.array(reading.knows) for reading in (readings[0], readings[-1]))
    best = int(np.nanargmin(last - first))
    return (
        f"From step {readings[0].step:,} to {readings[-1].step:,} the loss went from {np.nanmean(first):.2f} to "
        f"{np.nanmean(last):.2f}, most in segment {best + 1}: from {first[best]:.2f} to {last[best]:.2f}"
    )


def knows_at_the_end(reading: Reading) -> bool:
    """Whether the answer is known after the last segment."""
    return reading.knows[-1] >= KNOWN


def reading_finding(readings: Sequence[Reading]) -> str:
    """A sentence on the step from which the model knows the answer at the end of the text."""
    first = next((i for i, reading in enumerate(readings) if knows_at_the_end(reading)), None)
    n = len(readings[0].knows) - 1
    if first is None:
        return f"At no moment of training does it know the answer after all {n} segments"
    if any(not knows_at_the_end(reading) for reading in readings[first:]):
        return f"It first knows the answer after all {n} segments at step {readings[first].step:,}, not always since"
    return f"From step {readings[first].step:,} on it knows the answer after all {n} segments"


def reading_table(readings: Sequence[Reading], of: str = "P(answer)") -> dict[str, list]:
    """Columns of the readings: a row for each reading and segment."""
    rows = [(r.label, r.step, s, p) for r in readings for s, p in enumerate(r.knows, of != "P(answer)")]
    columns = ("read", "step", "after segment" if of == "P(answer)" else "segment", of)
    return dict(zip(columns, map(list, zip(*rows, strict=True)), strict=True))
