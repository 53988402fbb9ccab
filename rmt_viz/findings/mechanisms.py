"""Findings of Mechanisms: what is said of each, and the numbers of the figures. No torch, no streamlit."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rmt.memory.words import FAMILIES, WORDS
from rmt_viz.findings.loss import NAMES
from rmt_viz.findings.words import segments
from rmt_viz.shelf.results import Losses, Mechanism, Results

SEGMENTS = 4  # in the pictures of who sees whom
SIGHT = (
    "One layer of each mechanism, run on 4 segments of 8 tokens with its caches scaled down alike: one token after "
    "another is changed, and what moves has seen it. Strong: it sees what was read of that token alone; faint: the "
    "token shares its place with many others. In deeper models what is seen has itself seen farther back."
)
SIZES = (
    "What one document’s state holds after a segment, on a logarithmic scale; an arrow leads from the first segment to "
    "the last where it grows. One number is four bytes in float32."
)
OTHER = "other"  # the family of a mechanism that this version does not know
WEIGHED = "Held-out documents, with the most history that was scored; bars: one standard error."
BYTES = 4  # of a number in float32
CROSSES = {words.kind: words.crosses for words in WORDS}  # what crosses a boundary
SAVED, LOSS = "saved against no memory", "loss"


def ordered(rows: Iterable[Mechanism]) -> list[Mechanism]:
    """The mechanisms in the order of their families, and within each in the order of the legend."""
    places = list(FAMILIES)
    by_family = sorted(WORDS, key=lambda words: (words.kind != "rmt", places.index(words.family)))
    order = {words.kind: i for i, words in enumerate(by_family)}
    return sorted(rows, key=lambda row: order.get(row.mechanism, len(order)))


def families(rows: Sequence[Mechanism]) -> dict[str, list[Mechanism]]:
    """The mechanisms of each family that has some, without RMT, which stands beside each of them."""
    groups = {family: [row for row in rows if family_of(row) == family] for family in (*FAMILIES, OTHER)}
    groups = {family: [row for row in group if row.mechanism != "rmt"] for family, group in groups.items()}
    return {family: group for family, group in groups.items() if group} or {OTHER: list(rows)}


def start(groups: dict) -> str:
    """The family that the page opens with: a cache, which is as unlike memory tokens as can be; else the first."""
    return "cache" if "cache" in groups else next(iter(groups))


def family_of(row: Mechanism) -> str:
    """The family of a mechanism, as the papers group them."""
    return next((words.family for words in WORDS if words.kind == row.mechanism), OTHER)


def pair(rows: Sequence[Mechanism], chosen: Mechanism) -> list[Mechanism]:
    """RMT, where there is one, and the mechanism that stands beside it."""
    return [row for row in rows if row.mechanism == "rmt" and row is not chosen] + [chosen]


def name(row: Mechanism) -> str:
    """The name of a mechanism in titles and legends."""
    return NAMES.get(row.mechanism, row.mechanism)


def crosses(row: Mechanism) -> str:
    """What crosses a boundary in this mechanism, in words."""
    values = {"n_memory": row.read, "n_cache": 0, "rate": 1, **row.options, "read": row.read, "write": row.write}
    words = defaultdict(lambda: "some", values)  # tables of an earlier version may lack an option
    return CROSSES.get(row.mechanism, "See its file in rmt/memory").format_map(words)


def carried(row: Mechanism) -> str:
    """How many numbers cross the last boundary, in words."""
    if not row.numbers or not row.numbers[-1]:
        return "nothing carried"
    return f"{row.numbers[-1]:,}{', growing' if grows(row) else ' numbers'}"


def alone(rows: Iterable[Mechanism]) -> int:
    """Operations of a segment without memory; 0 where they were not counted."""
    return next((row.operations for row in rows if row.mechanism == "none"), 0)


def times(row: Mechanism, least: int) -> str:
    """Operations of a segment as a multiple of `least`, in words; "" where `least` is not known."""
    return f"×{row.operations / least:.2f}" if least else ""


def size(n: int) -> str:
    """A number of bytes in words: 8 kB."""
    for unit, step in (("MB", 1e6), ("kB", 1e3)):
        if n >= step:
            return f"{n / step:.{0 if n >= 10 * step else 1}f} {unit}"
    return f"{n} B"


def spread(rows: Sequence[Mechanism]) -> str:
    """A sentence on which mechanism carries least and which most."""
    some = sorted((row for row in rows if row.numbers and row.numbers[-1]), key=lambda row: row.numbers[-1])
    if len(rows) == 2 and len(some) == 1:
        other = next(row for row in rows if row is not some[0])
        return f"{name(some[0])} carries {some[0].numbers[-1]:,} numbers from segment to segment, {name(other)} nothing"
    if len(some) < 2:
        return "Who sees whom"
    least, most = some[0], some[-1]
    ratio = most.numbers[-1] / least.numbers[-1]
    return (
        f"{name(least)} carries {least.numbers[-1]:,} numbers from segment to segment, {name(most)} "
        f"{most.numbers[-1]:,}: {ratio:,.0f} times as many"
    )


@dataclass(frozen=True)
class Point:
    """A mechanism's mean loss in nats and its standard error, with the count of numbers it carries."""

    name: str
    mechanism: str
    numbers: int
    loss: float
    stderr: float


def points(rows: Sequence[Mechanism], losses: Iterable[Losses]) -> list[Point]:
    """A point for each mechanism that was scored, with the most history of its scores."""
    result, losses = [], [row for row in losses if row.control == "none"]
    for row in rows:
        scored = [losses_of for losses_of in losses if losses_of.mechanism == row.mechanism]
        if scored:
            best = max(scored, key=lambda losses_of: losses_of.history)
            result.append(Point(name(row), row.mechanism, row.numbers[-1], best.mean, best.mean_stderr))
    return result


def bought(scored: Sequence[Point]) -> str:
    """A sentence on the loss that RMT saves, against the numbers that it carries."""
    by = {point.mechanism: point for point in scored}
    rmt, other, alone = by.get("rmt"), by.get("transformer-xl") or by.get("context"), by.get("none")
    if not (rmt and other and alone and other.numbers and alone.loss > other.loss):
        return "Loss against the numbers that cross a boundary"
    part, share = rmt.numbers / other.numbers, (alone.loss - rmt.loss) / (alone.loss - other.loss)
    saves = f"saves {share:.0%} of the loss that it saves" if share > 0 else "saves nothing"
    return f"With {part:.0%} of the numbers of {other.name}, RMT {saves}"


@dataclass(frozen=True)
class Course:
    """A mechanism's loss in each segment of one text, or what it saves there against no memory."""

    name: str
    mechanism: str
    y: np.ndarray


def courses(rows: Sequence[Mechanism], of: str) -> list[Course]:
    """The loss of each mechanism by segment of one text, or what it saves against no memory."""
    scored = [
        row for row in rows if row.loss and len(row.loss) == len(next(other.loss for other in rows if other.loss))
    ]
    alone = next((row.loss for row in scored if row.mechanism == "none"), None)
    if of == SAVED and alone:
        return [
            Course(name(row), row.mechanism, np.subtract(alone, row.loss)) for row in scored if row.mechanism != "none"
        ]
    return [Course(name(row), row.mechanism, np.array(row.loss)) for row in scored]


def course_finding(lines: Sequence[Course], of: str) -> str:
    """A sentence on the mechanism that saves most, or has the lowest loss, over the segments after the first."""
    later = {line.name: float(line.y[1:].mean()) for line in lines if len(line.y) > 1}
    if not later:
        return "One text, segment by segment"
    best = (max if of == SAVED else min)(later, key=later.get)
    n = segments(len(lines[0].y) - 1)
    if of == SAVED:
        return f"Over the {n} after the first {best} saves most: {later[best]:.2f} nats a token"
    return f"Over the {n} after the first {best} has the lowest loss: {later[best]:.2f} nats a token"


def text_of(results: Results) -> str:
    """A sentence on which text was read."""
    return (
        f"{results.about.get('text', {}).get('name', 'One text')}, which no model was trained on. Means over segments."
    )


def beginnings(results: Results, n: int) -> list[str]:
    """The first words of each of n segments of the text."""
    parts = results.about.get("text", {}).get("segments", [])
    return [f"“{' '.join(part.split())[:60]} …”" for part in map(str, parts)][:n] + [""] * (n - len(parts))


def counted(results: Results) -> str:
    """A sentence on the model whose numbers the table shows, and how operations are counted."""
    made, row = (results.about.get("made_by") or [{}])[0], results.rows[0]
    shape = f"{made.get('backbone', 'A decoder')} of {made.get('layers', '?')} layers"
    return (
        f"{shape}, segments of {row.segment_length} tokens. Operations are counted as they run: here a cached position "
        f"passes through a layer’s attention again, which keeping its keys and values would spare. Recurrent nets are "
        f"backbones of their own, as deep and as wide. "
        f"Made by {results.command}."
    )


def side_by_side(rows: Sequence[Mechanism], least: int) -> dict[str, list[str]]:
    """Columns of the table of two mechanisms: a row for each thing that is told of them."""
    told = table(rows, least)
    names, size_in_bytes = told.pop(""), told.pop("in float32")
    told["numbers"] = [f"{n} ({size})" for n, size in zip(told["numbers"], size_in_bytes, strict=True)]
    told = dict(list(told.items())[:3]) | {"with the text": [growth(row) for row in rows]} | told
    return {"": list(told)} | {one: [cells[i] for cells in told.values()] for i, one in enumerate(names)}


def growth(row: Mechanism) -> str:
    """Whether what is carried grows with the text, in words."""
    if not any(row.numbers):
        return "empty"
    return f"grows, from {row.numbers[0]:,} after one segment" if grows(row) else "of one size, however long the text"


def grows(row: Mechanism) -> bool:
    """Whether what is carried was still growing at the end of the text."""
    return len(row.numbers) > 1 and row.numbers[-1] > row.numbers[-2]


def sizes_finding(rows: Sequence[Mechanism]) -> str:
    """A sentence on how far the sizes of states are apart, and how many grow."""
    some = [row.numbers[-1] for row in rows if row.numbers and row.numbers[-1]]
    if len(some) < 2:
        return "How many numbers cross a boundary"
    more = sum(map(grows, rows))
    growing = f"; {more} of {len(rows)} mechanisms grow{'s' if more == 1 else ''} with the text" if more else ""
    return f"What crosses a boundary is from {min(some):,} to {max(some):,} numbers{growing}"


def sizes_table(rows: Sequence[Mechanism]) -> dict[str, list]:
    """Columns of the sizes of states: a row for each mechanism and segment."""
    cells = [(row, i, n) for row in rows for i, n in enumerate(row.numbers)]
    return {
        "mechanism": [name(row) for row, *_ in cells],
        "family": [family_of(row) for row, *_ in cells],
        "after segment": [i + 1 for _, i, _ in cells],
        "numbers": [n for *_, n in cells],
        "bytes in float32": [BYTES * n for *_, n in cells],
    }


def table(rows: Sequence[Mechanism], least: int) -> dict[str, list[str]]:
    """Columns of the table of mechanisms, in words."""
    return {
        "": [name(row) for row in rows],
        "family": [family_of(row) for row in rows],
        "what crosses a boundary": [crosses(row) for row in rows],
        "numbers": [f"{row.numbers[-1]:,}" for row in rows],
        "in float32": [size(BYTES * row.numbers[-1]) for row in rows],
        "parameters added": [f"{row.parameters:,}" for row in rows],
        "operations of a segment": [f"{row.operations / 1e6:,.0f} million" for row in rows],
        "against no memory": [times(row, least) for row in rows],
    }


def sight_table(rows: Sequence[Mechanism]) -> dict[str, list]:
    """Columns of who sees whom: a row for each pair of tokens of which one sees the other."""
    cells = [(row, i, j, n) for row in rows for i, line in enumerate(row.seen) for j, n in enumerate(line) if n]
    return {
        "mechanism": [name(row) for row, *_ in cells],
        "token that looks": [i + 1 for _, i, _, _ in cells],
        "token looked at": [j + 1 for _, _, j, _ in cells],
        "tokens that share its place": [n for *_, n in cells],
    }


def course_table(lines: Sequence[Course]) -> dict[str, list]:
    """Columns of the loss by segment of one text."""
    return {
        "mechanism": [line.name for line in lines for _ in line.y],
        "segment": [i + 1 for line in lines for i in range(len(line.y))],
        "nats": [float(y) for line in lines for y in line.y],
    }


def point_table(scored: Sequence[Point]) -> dict[str, list]:
    """Columns of loss against numbers carried."""
    return {
        "mechanism": [point.name for point in scored],
        "numbers": [point.numbers for point in scored],
        "mean loss (nats)": [point.loss for point in scored],
        "standard error": [point.stderr for point in scored],
    }
