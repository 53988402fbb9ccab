"""Findings of Loss: which losses make which line, and what they say. No torch, no streamlit."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rmt.memory.words import WORDS
from rmt_viz.findings.words import segments
from rmt_viz.shelf.results import Losses, Results

NAMES = {words.kind: words.name for words in WORDS}  # in the order of the legend
CONTROLS = {"reset": "reset", "other": "other memory", "untrained": "untrained"}
CONTROLS_HELP = (
    "reset: the initial memory is put back before every segment. other memory: it is the memory of another document. "
    "untrained: weights that were never trained."
)
BINS = 24  # points of a line
EVERY, FIRST = "all positions", "first 16 positions"
FIELDS = {EVERY: ("mean", "mean_stderr"), FIRST: ("first16", "first16_stderr")}


@dataclass(frozen=True)
class Line:
    """A mechanism's loss in nats at each x, with its standard error. control: whether the line is of a control."""

    name: str
    mechanism: str
    control: bool
    x: np.ndarray
    loss: np.ndarray
    stderr: np.ndarray
    rows: tuple[Losses, ...] = ()


def histories(rows: Iterable[Losses]) -> list[int]:
    """The lengths of history (segments) that were scored."""
    return sorted({row.history for row in rows})


def usual(rows: Iterable[Losses]) -> int:
    """The history to begin with: four segments, or the most there is."""
    lengths = histories(rows)
    return 4 if 4 in lengths else lengths[-1]


def names(rows: Iterable[Losses]) -> list[str]:
    """The names of all lines, controls last, in the order of the legend."""
    order = {mechanism: i for i, mechanism in enumerate(NAMES)}
    order_of = {name(row): (row.control != "none", order.get(row.mechanism, len(order)), name(row)) for row in rows}
    return sorted(order_of, key=order_of.get)


def plain_names(rows: Iterable[Losses]) -> list[str]:
    """The names of the lines that are no controls."""
    return names(row for row in rows if row.control == "none")


def name(row: Losses) -> str:
    """The name of a line: the mechanism's, and its control's."""
    label = NAMES.get(row.mechanism, row.mechanism)
    return label if row.control == "none" else f"{label}, {CONTROLS.get(row.control, row.control)}"


def by_position(rows: Iterable[Losses], history: int, shown: Sequence[str], *, log: bool) -> list[Line]:
    """Loss at each position of a segment that has `history` segments before it, pooled into bins.

    A bin's error is the mean of its positions' errors, which is the most that the error of its mean can be.
    """
    lines = []
    for row in at(_ordered(rows, shown), history):
        edges = bins(len(row.loss), log=log)
        loss, error = (_pool(values, edges) for values in (row.loss, row.stderr))
        middle = (edges[:-1] + edges[1:] + 1) / 2  # positions count from 1
        lines.append(Line(name(row), row.mechanism, row.control != "none", middle, loss, error, (row,)))
    return lines


def at(rows: Iterable[Losses], history: int) -> list[Losses]:
    """The rows with this history; a mechanism that reads no history goes with every one."""
    rows = list(rows)
    reads = {name(row) for row in rows if row.history}
    return [row for row in rows if row.history == history or name(row) not in reads]


def bins(n: int, *, log: bool) -> np.ndarray:
    """Edges of bins of positions, of even width on a linear or on a logarithmic axis."""
    if log:
        return np.unique(np.geomspace(1, n + 1, BINS).round().astype(int)) - 1
    return np.unique(np.linspace(0, n, min(n, BINS + 8) + 1).round().astype(int))


def _pool(values: Sequence[float], edges: np.ndarray) -> np.ndarray:
    return np.add.reduceat(np.asarray(values, float), edges[:-1]) / np.diff(edges)


def by_history(rows: Iterable[Losses], shown: Sequence[str], over: str) -> list[Line]:
    """Mean loss against history. over: EVERY or FIRST positions."""
    loss, error = FIELDS[over]
    groups: dict[str, list[Losses]] = {}
    for row in _ordered(rows, shown):
        groups.setdefault(name(row), []).append(row)
    lines = []
    for label, of in groups.items():
        of = sorted(of, key=lambda row: row.history)
        x, y, e = (np.array([getattr(row, field) for row in of], float) for field in ("history", loss, error))
        lines.append(Line(label, of[0].mechanism, of[0].control != "none", x, y, e, tuple(of)))
    return lines


def _ordered(rows: Iterable[Losses], shown: Sequence[str]) -> list[Losses]:
    rows = [row for row in rows if name(row) in shown]
    order = names(rows)
    return sorted(rows, key=lambda row: order.index(name(row)))


def gained(rows: Iterable[Losses], comparisons: Iterable[dict], history: int) -> str:
    """A sentence on what memory saves at the beginning of a segment, as a share of what exact context saves.

    Where most of it stays when memory is reset, as after training that the baseline did not have, that is said instead.
    """
    by_mechanism = {row.mechanism: row for row in at(rows, history) if row.control == "none"}
    if "rmt" not in by_mechanism or "none" not in by_mechanism:
        return f"Loss by position after {segments(history)} of history"
    saved = by_mechanism["none"].first16 - by_mechanism["rmt"].first16
    sentence = f"RMT saves {saved:.2f} nats in the first 16 positions" if saved > 0 else "RMT saves nothing"
    whole = by_mechanism["none"].first16 - by_mechanism["context"].first16 if "context" in by_mechanism else 0
    part = _fraction(comparisons, history) or (f"{saved / whole:.0%}" if whole > 0 else None)
    reset = [row.first16 for row in at(rows, history) if (row.mechanism, row.control) == ("rmt", "reset")]
    stays = by_mechanism["none"].first16 - reset[0] if reset else 0
    if saved > 0 and stays > saved / 2:
        sentence += f", {stays:.2f} of them with memory reset, too"
    elif part and history and saved > 0:
        sentence += f", {part} of what exact context saves"
    return f"With {segments(history)} of history {sentence}"


def _fraction(comparisons: Iterable[dict], history: int) -> str | None:
    """The share of exact context's saving, with its standard error: the file's own comparison over documents."""
    for comparison in comparisons:
        of = comparison.get("of", {})
        if comparison.get("kind") == "fraction of exact context" and (of.get("mechanism"), of.get("history")) == (
            "rmt",
            history,
        ):
            first16 = comparison.get("first16", {})
            if isinstance(first16.get("fraction"), float):
                return f"{first16['fraction']:.0%} ± {first16.get('stderr', math.nan):.0%}"
    return None


def falls(lines: Iterable[Line], over: str) -> str:
    """A sentence on how RMT's perplexity changes with history."""
    line = next((line for line in lines if line.name == NAMES["rmt"] and len(line.x) > 1), None)
    if line is None:
        return f"Perplexity against history, {over}"
    first, last = np.exp(line.loss[0]), np.exp(line.loss[-1])
    way = "falls" if last < first else "rises"
    return f"RMT’s perplexity {way} from {first:.1f} to {last:.1f} with {segments(int(line.x[-1]))} of history"


def provenance(results: Results) -> str:
    """A sentence on where the numbers come from."""
    corpus, row = results.about.get("corpus", {}), results.rows[0]
    sentence = f"{row.documents} held-out documents of {corpus.get('name', 'the corpus')}, {row.targets} targets."
    return f"{sentence} Bands: one standard error over documents, at most; points pool neighbouring positions."


def table(rows: Iterable[Losses], history: int, shown: Sequence[str]) -> dict[str, list]:
    """Columns of the loss at every position, unpooled."""
    of = at(_ordered(rows, shown), history)
    return {
        "mechanism": [name(row) for row in of for _ in row.loss],
        "position": [i + 1 for row in of for i in range(len(row.loss))],
        "loss (nats)": [x for row in of for x in row.loss],
        "standard error": [x for row in of for x in row.stderr],
    }


def history_table(lines: Iterable[Line]) -> dict[str, list]:
    """Columns of perplexity and loss by history."""
    points = [(line, i) for line in lines for i in range(len(line.x))]
    return {
        "mechanism": [line.name for line, _ in points],
        "history (segments)": [int(line.x[i]) for line, i in points],
        "perplexity": [math.exp(line.loss[i]) for line, i in points],
        "loss (nats)": [float(line.loss[i]) for line, i in points],
        "standard error": [float(line.stderr[i]) for line, i in points],
        "documents": [line.rows[i].documents for line, i in points],
    }
