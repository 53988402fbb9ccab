"""Findings of Mechanisms: what each trained mechanism gives back at the hardest of three experiments. No torch."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rmt.memory.words import FAMILIES, WORDS
from rmt_viz.findings import recall
from rmt_viz.findings.recall import FACTS, FAMILY, FAR, QUOTATION, Lines, Point, name
from rmt_viz.findings.words import percent
from rmt_viz.shelf.recalled import Recalled

NOTE = (
    "Shares of the longest quotation and of the most facts, and how many segments later one fact is still known (“≥”: "
    "as far as it was asked). In brackets: within the error of the same with the memory reset. Intervals come under "
    "the pointer."
)
NAMED = 3  # mechanisms that the title names at most


@dataclass(frozen=True)
class Cell:
    """What a mechanism gives back in one experiment. strength: 0 to 1, what colours it; hint: with its interval."""

    strength: float
    text: str
    hint: str
    above_rmt: bool = False


@dataclass(frozen=True)
class Row:
    """A mechanism and its cells by experiment; those that were not run are missing."""

    kind: str
    family: str
    cells: dict[str, Cell]


def rows(recalled: Iterable[Recalled]) -> list[Row]:
    """A row for each trained mechanism, family by family, RMT first in its own."""
    recalled = list(recalled)
    given = {experiment: recall.lines(recalled, experiment) for experiment in (QUOTATION, FACTS, FAR)}
    reset = {experiment: recall.lines(recalled, experiment, "reset") for experiment in given}
    kinds = {kind for lines in given.values() for kind in lines}
    order = sorted(WORDS, key=lambda words: list(FAMILIES).index(words.family))
    kinds = [words.kind for words in order if words.kind in kinds]
    cells = {
        experiment: _far(given[FAR], reset[FAR]) if experiment == FAR else _shares(given[experiment], reset[experiment])
        for experiment in given
    }
    return [Row(kind, FAMILY[kind], {of: some[kind] for of, some in cells.items() if kind in some}) for kind in kinds]


def heads(recalled: Sequence[Recalled]) -> dict[str, str]:
    """What the column of each experiment is called."""
    most = {of: max((row.x for row in recalled if row.experiment == of), default=0) for of in (QUOTATION, FACTS)}
    return {QUOTATION: f"of {most[QUOTATION]} quoted", FACTS: f"of {most[FACTS]} facts", FAR: "segments later"}


def finding(table: Sequence[Row]) -> str:
    """A sentence on which mechanisms give back more than RMT in all three experiments."""
    others = [row for row in table if row.kind not in ("rmt", "none")]
    if len(others) == len(table) or not others:
        return "What each mechanism gives back"
    ahead = [row for row in others if len(row.cells) == 3 and all(cell.above_rmt for cell in row.cells.values())]
    if not ahead:
        return f"None of {len(others)} trained mechanisms gives back more than RMT in all three experiments"
    ahead.sort(key=lambda row: -sum(cell.strength for cell in row.cells.values()))
    names = ", ".join(name(row.kind) for row in ahead[:NAMED]) + (" and others" if len(ahead) > NAMED else "")
    does = "gives" if len(ahead) == 1 else "give"
    return (
        f"{len(ahead)} of {len(others)} trained mechanisms {does} back more than RMT in all three experiments: {names}"
    )


def columns(recalled: Sequence[Recalled]) -> dict[str, list]:
    """Columns of the numbers behind the picture: a row for each mechanism."""
    table, titles = rows(recalled), heads(recalled)
    cell = lambda row, of: row.cells[of].hint if of in row.cells else "not run"  # noqa: E731
    return {
        "mechanism": [name(row.kind) for row in table],
        "family": [row.family for row in table],
        **{titles[of]: [cell(row, of) for row in table] for of in titles},
    }


def _shares(given: Lines, reset: Lines) -> dict[str, Cell]:
    x = max((x for points in given.values() for x in points), default=0)
    rmt = given.get("rmt", {}).get(x)
    result = {}
    for kind, points in given.items():
        if x in points:
            point, text = points[x], percent(points[x].y)
            text = text if point.above(reset[kind][x]) else f"({text})"
            result[kind] = Cell(point.y, text, _hint(point), bool(rmt and point.above(rmt)))
    return result


def _far(given: Lines, reset: Lines) -> dict[str, Cell]:
    longest = max((x for points in given.values() for x in points), default=1)
    reach = {kind: recall.reach(given, reset, kind) for kind in given if kind in reset}
    result = {}
    for kind, x in reach.items():
        asked = max(given[kind])
        text = f"{'≥ ' if x == asked else ''}{x:,}" if x else "not"
        hint = f"{text}, asked up to {asked:,}" + (f", there {_hint(given[kind][x])}" if x else "")
        result[kind] = Cell(math.log1p(x) / math.log1p(longest), text, hint, x > reach.get("rmt", x))
    return result


def _hint(point: Point) -> str:
    seeds = f", {point.seeds} seeds" if point.seeds > 1 else ""
    return f"{percent(point.y)} ({percent(point.low)} to {percent(point.high)}{seeds})"
