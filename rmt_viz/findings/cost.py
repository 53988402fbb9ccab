"""Findings of Cost: operations against length, the ratio under each convention, and the measurements."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rmt.cost import (
    CONVENTIONS,
    LENGTH,
    OPT,
    PAPER,
    PAPER_LENGTH,
    SEGMENT,
    Convention,
    Sizes,
    forward,
    ratio,
    recurrent,
)
from rmt_viz.shelf.results import Measured, Results

IN_PAPER = {"OPT-125M": 295, "OPT-175B": 29}  # Bulatov et al. 2024, Figure 2
PAPER_MEMORY = "The paper gives 3.6 GB for BERT with RMT at 4,096 segments, on a GPU (Figure 5)."
ON = {"layers": "layers", "heads": "heads", "segment": "tokens a segment", "n_memory": "memory tokens",
      "threads": "thread"}  # fmt: skip
MEMORY = {"none": (0, 0), "10": (10, 0), "10 read + 10 write": (10, 10)}
LENGTHS = {f"{LENGTH:,}": LENGTH, f"4,096 × 512 = {PAPER_LENGTH:,}": PAPER_LENGTH}
SHORT = {  # names of ways of counting, where they are long
    "embedding lookup not counted": "no embedding lookup",
    "10 read and 10 write memory tokens": "10 read + 10 write",
}
TYPED = "another model …"
CHOSEN = "as chosen above"
METHODS = ("rmt", "sliding window", "full attention")  # in this order, where they are there


@dataclass(frozen=True)
class Count:
    """A way of counting: its name, the convention, and the length (tokens) at which the ratio is taken."""

    name: str
    convention: Convention
    tokens: int


def counts(chosen: Convention, tokens: int) -> list[Count]:
    """The conventions in use, with the chosen one added where it differs from all of them."""
    ways = [Count(SHORT.get(name, name), convention, LENGTH) for name, convention in CONVENTIONS.items()]
    ways.insert(2, Count(f"{SHORT[PAPER.name]}, {PAPER_LENGTH:,} tokens", PAPER, PAPER_LENGTH))
    if not any(same(count, chosen, tokens) for count in ways):
        ways.append(Count(CHOSEN, chosen, tokens))
    return ways


def same(count: Count, chosen: Convention, tokens: int) -> bool:
    """Whether a way of counting is the chosen convention at this length."""
    return count.tokens == tokens and replace(count.convention, name="") == replace(chosen, name="")


def ratios(count: Count, models: Iterable[Sizes], segment: int = SEGMENT) -> np.ndarray:
    """The operations of full attention over those of RMT, for each model."""
    return np.array([ratio(sizes, count.tokens, count.convention, segment) for sizes in models])


def agrees(count: Count, segment: int = SEGMENT) -> bool:
    """Whether a way of counting gives the paper's two ratios, rounded as the paper rounds them."""
    values = ratios(count, [OPT[name] for name in IN_PAPER], segment)
    return [round(x) for x in values] == list(IN_PAPER.values())


def curves(sizes: Sizes, convention: Convention, tokens: int, segment: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Lengths up to `tokens`, and the operations of each method at these lengths."""
    spread = np.concatenate([np.geomspace(segment, tokens, 60), np.linspace(segment, tokens, 60)])
    at = np.unique(spread.round().astype(int))
    plain = replace(convention, n_read=0, n_write=0)
    full = np.array([forward(sizes, int(s), plain) for s in at])
    return at, {"full attention": full, "rmt": np.array([recurrent(sizes, int(s), convention, segment) for s in at])}


def headline(sizes: Sizes, convention: Convention, tokens: int, segment: int) -> str:
    """A sentence with the ratio at the chosen length."""
    times = ratio(sizes, tokens, convention, segment)
    return f"{sizes.name}: full attention takes ×{number(times)} the operations of RMT at {tokens:,} tokens"


def agreement(ways: Sequence[Count], segment: int) -> str:
    """A sentence on how many ways of counting give the paper's ratios."""
    in_paper = " and ".join(f"×{times} ({name})" for name, times in IN_PAPER.items())
    good = [count for count in ways if agrees(count, segment)]
    many = {0: "none", 1: "one"}.get(len(good), len(good))
    return f"The paper’s {in_paper} come out in {many} of these {len(ways)} ways of counting"


def table(ways: Sequence[Count], models: Sequence[Sizes], segment: int) -> dict[str, list]:
    """Columns of the figure of conventions: a row for each way of counting, the ratio of each model."""
    values = [ratios(count, models, segment) for count in ways]
    columns = {sizes.name: [round(float(row[i]), 1) for row in values] for i, sizes in enumerate(models)}
    return {"convention": [count.name for count in ways], "tokens": [count.tokens for count in ways], **columns}


def methods(rows: Iterable[Measured]) -> dict[str, list[Measured]]:
    """method -> its measurements, the shortest length first."""
    by_method: dict[str, list[Measured]] = {}
    for row in sorted(rows, key=lambda row: (_order(row.method), row.tokens)):
        by_method.setdefault(row.method, []).append(row)
    return by_method


def _order(method: str) -> tuple:
    names = [name for name in METHODS if name in method.lower()]
    return (METHODS.index(names[0]) if names else len(METHODS)), method


def measured_table(by_method: dict[str, list[Measured]]) -> dict[str, list]:
    """Columns of the measurements: method, tokens, seconds and peak memory."""
    rows = [row for of in by_method.values() for row in of]
    return {name: [getattr(row, name) for row in rows] for name in ("method", "tokens", "seconds", "peak_bytes")}


def slope(rows: Sequence[Measured], field: str) -> float:
    """The power of length with which a quantity grows: least squares on both logarithms; nan of one point."""
    x, y = (np.log([getattr(row, name) for row in rows]) for name in ("tokens", field))
    return float(np.polyfit(x, y, 1)[0]) if len(rows) > 1 else np.nan


def longer(rows: Sequence[Measured]) -> list[Measured]:
    """The measurements at the longer half of the lengths, on a logarithmic scale, where fixed costs weigh little."""
    middle = (rows[0].tokens * rows[-1].tokens) ** 0.5
    return [row for row in rows if row.tokens >= middle]


def time_grows(by_method: dict[str, list[Measured]]) -> str:
    """A sentence on the power of length with which each method's time grows, over the longer half."""
    powers = {name: slope(longer(rows), "seconds") for name, rows in by_method.items() if len(longer(rows)) > 1}
    growth = [f"{title(name)} {power:.2f}" for name, power in powers.items()]
    return f"Time grows with this power of length: {', '.join(growth)}"


def memory_grows(by_method: dict[str, list[Measured]]) -> str:
    """A sentence on each method's peak memory at the greatest length, over that at the least."""
    growth = [
        f"{title(name)} ×{number(r[-1].peak_bytes / r[0].peak_bytes)}" for name, r in by_method.items() if len(r) > 1
    ]
    return f"Peak memory grows: {', '.join(growth)}"


def missing(result: Results) -> list[tuple[str, int]]:
    """(method, tokens) of the runs that did not fit into memory."""
    rows = result.about.get("misfits") or []
    return [(str(row["method"]), int(row["tokens"])) for row in rows if {"method", "tokens"} <= set(row)]


def measured_on(result: Results) -> str:
    """A sentence on what was measured, and by which command."""
    on = result.about.get("measured_on") or {}
    parts = [f"{on[key]} {word}" for key, word in ON.items() if key in on]
    where = f"One decoder of {', '.join(parts)}. " if parts else ""
    limit = on.get("limit_bytes")
    room = f"Open signs: it did not fit into {limit / 2**30:.0f} GB. " if limit and missing(result) else ""
    return f"{where}{room}Measured by {result.command}"


def title(method: str) -> str:
    """The name of a method in titles and legends."""
    return "RMT" if method == "rmt" else method


def number(x: float) -> str:
    """A number with about three digits: 1.23, 12.3 or 1,234."""
    return f"{x:.2f}" if x < 10 else f"{x:.1f}" if x < 100 else f"{x:,.0f}"
