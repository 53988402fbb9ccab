"""The tables of assets/results that figures draw, read as checked rows. No torch."""

import math
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

from rmt.errors import InputError
from rmt_viz.shelf.brought import Brought
from rmt_viz.shelf.json_file import read_json
from rmt_viz.shelf.library import ASSETS
from rmt_viz.shelf.recalled import Recalled, Stretched

FOLDER = ASSETS / "results"
MAKES = {  # what to run for a file that is not there
    "lm": "recipes/language_models.sh",
    "lm-smollm2": "recipes/smollm2.sh",
    "length": "python -m benchmarks.lengths --json",
    "babilong": "python -m benchmarks.babilong CHECKPOINT --json",
    "capacity": "recipes/many_facts.sh",
    "whose_slot": "python -m benchmarks.whose_slot CHECKPOINTS --json",
    "cost": "python -m benchmarks.methods --json",
    "mechanisms": "python -m rmt mechanisms CHECKPOINTS --json",
    "recall": "recipes/mechanisms.sh",
    "stretched": "recipes/mechanisms.sh",
    "gallery": "recipes/gallery.sh",
}


@dataclass(frozen=True)
class Score:
    """Accuracy of a checkpoint at one length. low, high: its confidence interval; seconds: the time of scoring."""

    task: str
    checkpoint: str
    trained_on: int
    recipe: str
    segments: int
    tokens: int
    samples: int
    accuracy: float
    low: float
    high: float
    control: str = "none"
    segment_length: int = 0
    seconds: float = math.nan


@dataclass(frozen=True)
class BabilongScore:
    """Accuracy on a BABILong task at one length.

    never: the questions are about what was never mentioned. stories: "ours", or "official" for BABILong's own.
    """

    task: str
    checkpoint: str
    length: str
    tokens: int
    samples: int
    accuracy: float
    low: float
    high: float
    control: str = "none"
    never: bool = False
    stories: str = "ours"


@dataclass(frozen=True)
class Losses:
    """A mechanism's loss in nats at each position of a segment, with `history` segments before it.

    stderr, mean_stderr and first16_stderr: standard errors over documents.
    """

    mechanism: str
    checkpoint: str
    control: str
    history: int
    documents: int
    targets: int
    loss: tuple[float, ...]
    stderr: tuple[float, ...]
    mean: float
    mean_stderr: float
    first16: float
    first16_stderr: float


@dataclass(frozen=True)
class Measured:
    """Time (seconds) and peak memory (bytes) of one run of a method."""

    method: str
    tokens: int
    seconds: float
    peak_bytes: float


@dataclass(frozen=True)
class Mechanism:
    """What one mechanism carries and costs, and which tokens see which; see `rmt.evaluate.mechanisms.Account`."""

    mechanism: str
    checkpoint: str
    options: dict
    segment_length: int
    numbers: tuple[int, ...]
    parameters: int
    operations: int
    read: int
    write: int
    seen: tuple[tuple[int, ...], ...]
    loss: tuple[float, ...] = ()


@dataclass(frozen=True)
class Held:
    """Facts that a memory holds of `told`; see `rmt.causes.capacity.Capacity`. slots, numbers: how large it is."""

    checkpoint: str
    mechanism: str
    slots: int
    numbers: int
    told: int
    segments: int
    documents: int
    accuracy: float
    low: float
    high: float
    held: float
    held_low: float
    held_high: float
    by_order: tuple[float, ...]
    never: float
    control: str = "none"


@dataclass(frozen=True)
class Shown:
    """A run of the gallery; see `rmt.evaluate.gallery.Row`."""

    checkpoint: str
    segments: int
    seed: int
    never: bool
    question: str
    answer: str
    truth: str
    right: bool
    p: float
    p_truth: float
    facts: int
    special: tuple[str, ...]
    moment: int
    why: str

    @property
    def id(self) -> str:
        """Its name in an address."""
        return f"{self.checkpoint}-{self.segments}-{self.seed}{'-never' if self.never else ''}"


@dataclass(frozen=True)
class Results:
    """A table of results: the command that made it, its rows, and the other fields of the document."""

    name: str
    command: str
    rows: tuple
    about: dict


ROWS = {
    "lm": (Losses, "results"),
    "lm-smollm2": (Losses, "results"),
    "length": (Score, "results"),
    "babilong": (BabilongScore, "results"),
    "capacity": (Held, "results"),
    "whose_slot": (Brought, "results"),
    "cost": (Measured, "measured"),
    "mechanisms": (Mechanism, "results"),
    "recall": (Recalled, "results"),
    "stretched": (Stretched, "results"),
    "gallery": (Shown, "results"),
}


def read(name: str, folder: Path = FOLDER) -> Results:
    """The table of this name. Raises InputError with a sentence where the file is missing or not what it should be."""
    path = folder / f"{name}.json"
    kind, key = ROWS[name]
    if not path.is_file():
        raise InputError(f"There is no assets/results/{path.name} yet; {MAKES[name]} makes it.")
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get(key), list):
        raise InputError(f"assets/results/{path.name} has no list of {key}; make it again.")
    rows = tuple(_row(kind, row, path.name) for row in document[key])
    return Results(name, str(document.get("command", "")), rows, {k: v for k, v in document.items() if k != key})


def scores(task: str, checkpoint: str, trained_on: int, recipe: str, rows: Iterable[dict]) -> tuple[Score, ...]:
    """Scores from rows of `rmt.evaluate`."""
    known = {"task": task, "checkpoint": checkpoint, "trained_on": trained_on, "recipe": recipe}
    return tuple(_row(Score, {**known, **row}, checkpoint) for row in rows)


def mechanisms(rows: Iterable[dict]) -> tuple[Mechanism, ...]:
    """Mechanisms from rows of `rmt.evaluate.mechanisms`."""
    return tuple(_row(Mechanism, row, "this text") for row in rows)


def _row(kind: type, raw: dict, name: str):
    """A row of this type, each value checked for its type; unknown fields are left out."""
    if not isinstance(raw, dict):
        raise InputError(f"A row of {name} is not a table of values; make it again.")
    values = {}
    for field in fields(kind):
        value = raw.get(field.name)
        if value is None and field.default is not MISSING:
            value = field.default
        try:
            values[field.name] = TYPES[field.type](value)
        except (TypeError, ValueError, OverflowError):
            raise InputError(f"A row of {name} has no valid {field.name!r}; make it again.") from None
    return kind(**values)


def _text(value) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise TypeError
    return int(value)


def _truth(value) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value) -> float:
    if isinstance(value, bool | str):
        raise TypeError
    return float(value)


def _numbers(values) -> tuple[float, ...]:
    return tuple(math.nan if value is None else _number(value) for value in values)


def _counts(values) -> tuple[int, ...]:
    """One or more whole numbers, none below 0."""
    counts = tuple(map(_whole, values))
    if not counts or min(counts) < 0:
        raise ValueError
    return counts


def _texts(values) -> tuple[str, ...]:
    if isinstance(values, str):
        raise TypeError
    return tuple(map(_text, values))


def _square(rows) -> tuple[tuple[int, ...], ...]:
    """Rows of counts, as many as there are columns."""
    counts = tuple(map(_counts, rows))
    if not counts or {len(row) for row in counts} != {len(counts)}:
        raise ValueError
    return counts


def _options(value) -> dict:
    if not isinstance(value, dict):
        raise TypeError
    return {str(key): option for key, option in value.items() if isinstance(option, int | float | str)}


TYPES = {
    str: _text,
    bool: _truth,
    int: _whole,
    float: _number,
    dict: _options,
    tuple[str, ...]: _texts,
    tuple[float, ...]: _numbers,
    tuple[int, ...]: _counts,
    tuple[tuple[int, ...], ...]: _square,
}
