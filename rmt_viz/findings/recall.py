"""Findings of Mechanisms: what trained mechanisms give back of a text, and texts longer than trained on. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from rmt.memory.words import WORDS
from rmt_viz.findings.loss import NAMES
from rmt_viz.findings.words import percent, segments
from rmt_viz.shelf.recalled import Recalled, Stretched
from rmt_viz.shelf.results import Results

QUOTATION, FACTS, FAR = "quotation", "facts", "far"
WINDOW, EXTRAPOLATION, INTERPOLATION = "window of training", "extrapolation", "interpolation"
FAMILY = {words.kind: words.family for words in WORDS}
ERRORS = 1.96  # standard errors that a difference must have
BANDS = (
    "Bands: 95% intervals; dotted: the same with the memory reset before the question; grey: the other mechanisms, "
    "whose names come under the pointer."
)
SCATTER = "Bars: 95% intervals; grey: the others. The more numbers cross, the farther to the right a mechanism stands."


@dataclass(frozen=True)
class Point:
    """A share of answers that are right, with its 95% interval; of several seeds the mean, and the widest interval."""

    y: float
    low: float
    high: float
    seeds: int = 1

    def above(self, other: "Point") -> bool:
        return self.low > other.high


Lines = dict[str, dict[int, Point]]  # mechanism -> x -> point


def lines(rows: Iterable[Recalled], experiment: str, control: str = "none") -> Lines:
    """The points of each mechanism in one experiment, by x, in the order of the legend.

    Far back a seed is asked no farther than where it was lost: at greater distances it counts as it did there.
    """
    seeds: dict[str, dict[int, dict[int, Recalled]]] = {}  # mechanism -> seed -> x -> row
    for row in rows:
        if (row.experiment, row.control) == (experiment, control):
            seeds.setdefault(row.mechanism, {}).setdefault(row.seed, {})[row.x] = row
    order = list(NAMES)
    result: Lines = {}
    for kind in sorted(seeds, key=lambda kind: (order.index(kind) if kind in NAMES else len(order), kind)):
        for x in sorted({x for of_seed in seeds[kind].values() for x in of_seed}):
            some = [of_seed[x] for of_seed in seeds[kind].values() if x in of_seed]
            if experiment == FAR:
                some += [of_seed[max(of_seed)] for of_seed in seeds[kind].values() if max(of_seed) < x]
            ends = min(row.low for row in some), max(row.high for row in some)
            result.setdefault(kind, {})[x] = Point(float(np.mean([row.accuracy for row in some])), *ends, len(some))
    return result


def shown(of: Lines, chosen: str) -> list[str]:
    """The mechanisms that stand out in a figure: RMT, the chosen one, and no memory."""
    return [kind for kind in dict.fromkeys(("rmt", chosen, "none")) if kind in of]


def standing(of: Lines, chosen: str) -> str:
    """The mechanism that stands beside RMT: the chosen one, or the first of its family that is trained."""
    family = FAMILY.get(chosen)
    return next((kind for kind in (chosen, *of) if kind in of and kind != "rmt" and FAMILY.get(kind) == family), chosen)


def name(kind: str) -> str:
    """A mechanism's name in titles and legends."""
    return NAMES.get(kind, kind)


def quotation(given: Lines, reset: Lines, chosen: str) -> str:
    """A sentence on how much of the longest quotation RMT and the chosen mechanism copy."""
    return _pair(given, reset, chosen, "Of a quotation of {x} tokens", "copies")


def facts(given: Lines, reset: Lines, numbers: dict[str, int]) -> str:
    """A sentence on which mechanisms give back more of the most facts than RMT, and how many numbers they carry."""
    if "rmt" not in given:
        return "Facts given back, against the numbers that cross a boundary"
    x, more = max(given["rmt"]), better(given, numbers)
    others = sum(x in points for points in given.values()) - 1
    told = (
        f"With {numbers.get('rmt', 0):,} numbers RMT gives back {_share(given['rmt'][x], reset['rmt'][x])} of {x} facts"
    )
    if not more:
        return f"{told}; none of {others} others surely more"
    few = f"{name(more[0])} with {numbers.get(more[0], 0):,}"
    many = "1 other gives more: " if len(more) == 1 else f"{len(more)} of {others} others more, the smallest "
    return f"{told}; {many}{few}"


def better(given: Lines, numbers: dict[str, int]) -> list[str]:
    """The mechanisms that give back more of the most facts than RMT, the one that carries least first."""
    if "rmt" not in given:
        return []
    x = max(given["rmt"])
    more = [kind for kind, points in given.items() if x in points and points[x].above(given["rmt"][x])]
    return sorted(more, key=lambda kind: numbers.get(kind, 0))


def far(given: Lines, reset: Lines, chosen: str) -> str:
    """A sentence on the farthest distance from which RMT and the chosen mechanism still answer."""
    parts = []
    for kind in dict.fromkeys(("rmt", chosen)):
        if kind in given:
            x = reach(given, reset, kind)
            known = f"up to {segments(x)} later ({percent(given[kind][x].y)})" if x else "not at all"
            parts.append(f"{name(kind)} {known}")
    return f"A fact is known by {', by '.join(parts)}" if parts else "A fact, asked for later"


def reach(given: Lines, reset: Lines, kind: str) -> int:
    """The farthest distance up to which a mechanism's answers are above its control's; 0 where it is none."""
    guessed, farthest = next(iter(reset[kind].values())), 0
    for x, point in sorted(given[kind].items()):
        if not point.above(guessed):
            break
        farthest = x
    return farthest


def _pair(given: Lines, reset: Lines, chosen: str, of: str, does: str) -> str:
    """A sentence on two mechanisms at the largest x that both have."""
    two = [kind for kind in dict.fromkeys((chosen, "rmt")) if kind in given]
    if not two:
        return "What is given back of a text"
    x = max(set.intersection(*(set(given[kind]) for kind in two)))
    shares = [f"{name(kind)} {does} {_share(given[kind][x], reset[kind][x])}" for kind in two]
    apart = len(two) < 2 or given[two[0]][x].above(given[two[1]][x]) or given[two[1]][x].above(given[two[0]][x])
    return f"{of.format(x=x)} {', '.join(shares)}{'' if apart else ': no difference within the error'}"


def _share(point: Point, guessed: Point) -> str:
    return f"{percent(point.y)}{'' if point.above(guessed) else ' (within the error of no memory)'}"


def sizes(rows: Iterable[Recalled]) -> dict[str, int]:
    """How many numbers cross a boundary in each trained mechanism, where facts are told."""
    return {row.mechanism: row.numbers for row in rows if row.experiment == FACTS}


def trained(results: Results) -> str:
    """A sentence on how the mechanisms were trained, and which were not."""
    pairs = {(row.mechanism, row.seed) for row in results.rows}
    kinds = {kind for kind, _ in pairs}
    counts = sorted({sum(kind == other for other, _ in pairs) for kind in kinds})
    seeds = f"{counts[0]} to {counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
    missing = ", ".join(name(kind) for kind in NAMES if kind not in kinds)
    return (
        f"{len(kinds)} mechanisms around one small decoder, or recurrent nets as large, {_most(results, 'parameters')} "
        f"parameters at most. Each was trained for {_most(results, 'steps')} steps at most on texts of the same kinds, "
        f"with {seeds} seed{'s' if counts[-1] > 1 else ''}; what learned all lessons stopped before. "
        f"{f'Not trained: {missing}. ' if missing else ''}Made by {results.command}."
    )


def _most(results: Results, field: str) -> str:
    models = results.about.get("models")
    values = [one.get(field) for one in models if isinstance(one, dict)] if isinstance(models, list) else []
    return f"{max((value for value in values if isinstance(value, int)), default=0):,}"


def line_table(given: Lines, reset: Lines, kinds: Sequence[str], x: str) -> dict[str, list]:
    """Columns of an experiment: a row for each mechanism and x."""
    cells = [(kind, at, point) for kind in kinds for at, point in given[kind].items()]
    guessed = [reset[kind].get(at, next(iter(reset[kind].values()))) for kind, at, _ in cells]
    return {
        "mechanism": [name(kind) for kind, *_ in cells],
        x: [at for _, at, _ in cells],
        "right": [point.y for *_, point in cells],
        "low": [point.low for *_, point in cells],
        "high": [point.high for *_, point in cells],
        "right with the memory reset": [point.y for point in guessed],
        "seeds": [point.seeds for *_, point in cells],
    }


# Texts longer than trained on.


def stretched(rows: Sequence[Stretched]) -> str:
    """A sentence on at how many lengths interpolation has a lower loss than extrapolation, tuned and not."""
    parts = []
    for tuned, words in ((False, "as the model is"), (True, "after a short tuning")):
        some = [row for row in rows if row.reads == INTERPOLATION and row.tuned == tuned]
        ahead = [row for row in some if below(row, EXTRAPOLATION)]
        if some:
            parts.append(f"at {len(ahead)} of {len(some)} lengths {words}")
    if not parts:
        return "Texts longer than trained on"
    return f"Interpolation has a lower loss than extrapolation {', '.join(parts)}"


def below(row: Stretched, what: str) -> bool:
    """Whether a loss is lower than that of extrapolation, or of the window of training, by more than the error."""
    lower, error = gain(row, what)
    return lower > ERRORS * error


def gain(row: Stretched, what: str) -> tuple[float, float]:
    """How much lower a loss is than that of extrapolation, or of the window of training, and the standard error."""
    if what == WINDOW:
        return row.below_window, row.below_window_stderr
    return row.below_extrapolation, row.below_extrapolation_stderr


def tuned(results: Results) -> str:
    """A sentence on the model and the tuning."""
    row = results.rows[0]
    return (
        f"A language model trained on {row.tokens // row.times} tokens at once; tuned: after a few steps on windows of "
        f"each length. The same tokens are scored at all. Bars: one standard error over {row.documents} documents. "
        f"Made by {results.command}."
    )


def stretched_table(rows: Sequence[Stretched]) -> dict[str, list]:
    """Columns of the losses beyond the trained length: a row for each case."""
    return {
        "read by": [row.reads for row in rows],
        "times the trained length": [row.times for row in rows],
        "tokens": [row.tokens for row in rows],
        "tuned": ["yes" if row.tuned else "no" for row in rows],
        "loss (nats)": [row.loss for row in rows],
        "standard error": [row.stderr for row in rows],
        "below the window of training": [row.below_window for row in rows],
        "its standard error": [row.below_window_stderr for row in rows],
        "below extrapolation": [row.below_extrapolation for row in rows],
        "its error": [row.below_extrapolation_stderr for row in rows],
    }
