"""The Tour's charts: lines of numbers from the tables of results, with the sentence that they show."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rmt.cost import LENGTH, OPT, PAPER, SEGMENT
from rmt.errors import InputError
from rmt.memory.words import WORDS
from rmt_viz.findings import babilong, capacity, cost, mechanisms
from rmt_viz.findings.words import percent

STYLES = {"none": ("write", ""), "reset": ("read", "6 4"), "untrained": ("loss", "2 3")}
SHARES = [(share, f"{share:.0%}") for share in (0, 0.25, 0.5, 0.75, 1)]
MODEL = "OPT-125M"
PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"))


@dataclass(frozen=True)
class Axis:
    """An axis. ticks: (value, label), the first and the last are its ends."""

    label: str
    ticks: Sequence[tuple[float, str]]
    log: bool = False


@dataclass(frozen=True)
class Line:
    """A line or, with one point, a mark. points: x, y, and the low and high end of y's interval."""

    name: str
    hue: str
    dash: str
    points: Sequence[tuple[float, float, float, float]]
    told: Sequence[str]


@dataclass(frozen=True)
class Chart:
    """A chart: its title, two axes and lines."""

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line]


def held(sources) -> tuple[str, list[Chart]]:
    """Facts held against facts told, with both controls."""
    rows = sources.result("capacity").rows
    lines = capacity.curves(rows, min(row.segments for row in rows))
    most = max(row.told for line in lines.values() for row in line)
    drawn = [Line("everything", "muted", "1 3", [(0, 0, 0, 0), (most, most, most, most)], ["", ""])]
    for name, line in lines.items():
        hue, dash = STYLES[line[0].control]
        points = [(row.told, row.held, row.held_low, row.held_high) for row in line]
        drawn.append(Line(name, hue, dash, points, [f"{row.told} told: {row.held:.1f} held" for row in line]))
    ticks = [(n, str(n)) for n in range(0, most + 1, max(1, most // 4))]
    chart = Chart("Facts held against facts told", Axis("facts told", ticks), Axis("facts held", ticks), drawn)
    return f"{capacity.finding(lines)}{_ends(lines)}", [chart]


def _ends(lines: dict) -> str:
    """What the controls hold of the most that are told."""
    ends = [line[-1] for line in lines.values() if line[-1].control != "none"]
    told = [f"{capacity.NAMES[row.control].removeprefix(', ')} {row.held:.1f}" for row in ends]
    return f" ({', '.join(told)}; all corrected for guessing)" if told else ""


def moves(sources) -> tuple[str, list[Chart]]:
    """What a second fact does to the first, where it is about somebody else and where it is about the same."""
    document, reset = sources.facts("qa1"), sources.facts("qa1.reset")
    charts: list[Chart] = []
    for kind, title in (("another", "The second fact is about somebody else"), ("same", "It is about the same person")):
        lines = [
            _after(document["interference"][kind], "first", "the first fact", ("knows", "")),
            _after(document["interference"][kind], "second", "the second fact", ("write", "")),
            _after(reset["interference"][kind], "second", "the second, memory reset", ("read", "6 4")),
        ]
        distances = document["interference"][kind]["distance"]
        x = Axis("segments since the second fact", [(d, str(d)) for d in distances])
        charts.append(Chart(title, x, Axis("P(answer) if asked now", [(v, f"{v:g}") for v in (0, 0.5, 1)]), lines))
    other, same = (document["interference"][kind] for kind in ("another", "same"))
    keeps, gives_way, new = (rows["mean"][-1] for rows in (other["first"], same["first"], same["second"]))
    gone = reset["interference"]["same"]["second"]["mean"][-1]
    return (
        f"After a second fact about somebody else the first one’s answer keeps P {keeps:.2f}; after one about the same "
        f"person it has {gives_way:.2f}, and the second one’s {new:.2f}. With memory reset at each boundary the second "
        f"ends at {gone:.2f}"
    ), charts


def _after(rows: dict, which: str, name: str, style: tuple[str, str]) -> Line:
    of = rows[which]
    points = list(zip(rows["distance"], of["mean"], of["low"], of["high"], strict=True))
    return Line(name, *style, points, [f"{x} segments: P {y:.3f}" for x, y, *_ in points])


def far(sources) -> tuple[str, list[Chart]]:
    """Right answers about a person against the length of the text, with what was never mentioned and the control."""
    results = sources.result("babilong")
    kinds = {
        "told of": ("none", False, ("knows", "")),
        "never mentioned": ("none", True, ("change", "6 4")),
        "told of, memory reset": ("reset", False, ("read", "2 3")),
    }
    lines, at = [], {}
    for name, (control, never, style) in kinds.items():
        chosen = (control, never, "ours")
        rows = [row for row in results.rows if (row.control, row.never, row.stories) == chosen and row.task == "qa1"]
        rows = sorted(rows, key=lambda row: row.tokens)
        at |= {row.tokens: row.length for row in rows}
        points = [(row.tokens, row.accuracy, row.low, row.high) for row in rows]
        told = [f"{row.tokens:,} tokens: {percent(row.accuracy)} of {row.samples} questions" for row in rows]
        lines.append(Line(name, *style, points, told))
    x = Axis("length of the text (tokens)", sorted(at.items()), log=True)
    words = ("of those about people never mentioned", "with memory reset")
    rest = [f"; {word} {percent(line.points[-1][1])} at {line.points[-1][0]:,}"
            for word, line in zip(words, lines[1:], strict=True) if line.points]  # fmt: skip
    chart = Chart(
        "Answered right, by length", x, Axis("answered right", SHARES), [line for line in lines if line.points]
    )
    return f"{babilong.finding(results, 'qa1')}{''.join(rest)}", [chart]


def others(sources) -> tuple[str, list[Chart]]:
    """Loss of language models against how many numbers each carries over a boundary."""
    rows = mechanisms.ordered(sources.result("mechanisms").rows)
    points = mechanisms.points(rows, sources.result("lm").rows)
    if not points:
        raise InputError("No language model was scored with each mechanism.")
    some = [point.numbers for point in points if point.numbers]
    none = 10 ** (math.floor(math.log10(min(some))) - 1)  # where those stand that carry nothing
    hues = {words.kind: words.hue for words in WORDS}  # a mechanism keeps its colour everywhere
    drawn = []
    for point in points:
        ends = (point.loss - point.stderr, point.loss + point.stderr)
        told = f"{point.numbers:,} numbers: {point.loss:.3f} ± {point.stderr:.3f} nats"
        drawn.append(
            Line(
                point.name, hues.get(point.mechanism, "loss"), "", [(point.numbers or none, point.loss, *ends)], [told]
            )
        )
    x = [(none, "none"), *_decades(none * 10, max(some))]
    low, high = min(p.loss - p.stderr for p in points), max(p.loss + p.stderr for p in points)
    step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2) if (high - low) / step <= 5)
    y = [(step * k, f"{step * k:.2f}") for k in range(math.floor(low / step), math.ceil(high / step) + 1)]
    title = "Loss against the numbers that cross a boundary"
    chart = Chart(title, Axis("numbers that cross", x, log=True), Axis("mean loss (nats)", y), drawn)
    return f"Against a model without memory: {_small(mechanisms.bought(points))}", [chart]


def _small(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]


def price(sources) -> tuple[str, list[Chart]]:
    """Operations by formula and time as measured, against the length of the text."""
    sizes = OPT[MODEL]
    at, methods = cost.curves(sizes, PAPER, LENGTH, SEGMENT)
    styles = {"full attention": ("muted", "6 4"), "rmt": ("write", "")}
    lines = [
        Line(cost.title(name), *styles[name], [(int(x), y, y, y) for x, y in zip(at, map(float, values), strict=True)],
             [f"{x:,} tokens: {_si(y)} operations" for x, y in zip(at, values, strict=True)])
        for name, values in methods.items()
    ]  # fmt: skip
    by_method = cost.methods(sources.result("cost").rows)
    clock = [_clock(name, rows) for name, rows in by_method.items()]
    counted = Chart(
        f"Operations, {MODEL}, by formula", _log("length (tokens)", lines, 0), _log("operations", lines, 1), lines
    )
    timed = Chart("Time, as measured", _log("length (tokens)", clock, 0),
                  _log("seconds", clock, 1, "s"), clock)  # fmt: skip
    return f"{cost.headline(sizes, PAPER, LENGTH, SEGMENT)}. {cost.time_grows(by_method)}", [counted, timed]


def _clock(name: str, rows: Sequence) -> Line:
    hue, dash = ("muted", "2 3" if "fused" in name else "6 4") if "full" in name else ("read", "6 4")
    if name.lower() == "rmt":
        hue, dash = "write", ""
    points = [(row.tokens, row.seconds, row.seconds, row.seconds) for row in rows]
    return Line(
        cost.title(name), hue, dash, points, [f"{row.tokens:,} tokens: {_si(row.seconds, 's')}" for row in rows]
    )


def _log(label: str, lines: Sequence[Line], of: int, unit: str = "") -> Axis:
    values = [point[of] for line in lines for point in line.points]
    return Axis(label, _decades(min(values), max(values), unit), log=True)


def _decades(low: float, high: float, unit: str = "") -> list[tuple[float, str]]:
    """Powers of ten around two numbers, few enough to be written beside each other."""
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    step = 1 if last - first <= 5 else 3
    exponents = [*range(first, last, step), last]
    if len(exponents) > 1 and exponents[-1] - exponents[-2] < step:
        exponents.pop(-2)
    return [(10.0**k, _si(10.0**k, unit)) for k in exponents]


def _si(x: float, unit: str = "") -> str:
    """A number with its unit: 20 ms or 157 P."""
    factor, prefix = next(((f, p) for f, p in PREFIXES if x >= 0.999 * f), (1e-6, "µ"))
    return f"{x / factor:.3g} {prefix}{unit}".strip()
