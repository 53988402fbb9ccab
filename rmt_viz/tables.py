"""Numbers behind the figures of What if, Facts and Why, as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.measure.contrast import Contrast
from rmt.viewer.slices import Run


def apart(found: Contrast) -> dict[str, Sequence]:
    """One row for each moment."""
    table = {"after segment": np.arange(len(found.apart)), "distance of the memories": found.apart}
    for name, before, after in zip(found.classes, found.before, found.after, strict=True):
        table |= {f"P({name}) as it was": before, f"P({name}) changed": after}
    if np.isfinite(found.loss).any():
        table["loss changed - as it was"] = np.concatenate([[np.nan], found.loss])
    return table


def slot_map(found: dict) -> dict[str, Sequence]:
    """One row for each segment and slot; slot 0 is all of them."""
    rows = {"segment": [], "slot": [], "without": [], "alone": []}
    for i, segment in enumerate(found["segments"]):
        for slot, (one, alone) in enumerate(zip(found["without"][i], found["alone"][i], strict=True), 1):
            _row(rows, segment + 1, slot, one, alone)
        _row(rows, segment + 1, 0, found["whole"][i], np.nan)
    return rows


def survival(found: dict[str, dict]) -> dict[str, Sequence]:
    """One row for each control and distance."""
    rows = {name: [] for name in ("control", "segments since", "P mean", "P 10 %", "P 90 %", "right")}
    for control, document in found.items():
        of = document["survival"]
        for row in zip(of["distance"], of["mean"], of["low"], of["high"], of["right"], strict=True):
            _row(rows, control, *row)
    return rows


def ledger(facts: Sequence[dict]) -> dict[str, Sequence]:
    """One row for each moment."""
    n = len(facts[0]["p"]) if facts else 0
    return {"after segment": np.arange(n), **{f"{fact['text']} ({fact['answer']})": fact["p"] for fact in facts}}


def probes(found: dict) -> dict[str, Sequence]:
    """One row for each slot and moment."""
    rows = {name: [] for name in ("slot", "segments since", "right", "shuffled")}
    of = found["probes"]
    for moment, right, shuffled in zip(of["moments"], of["right"], of["shuffled"], strict=True):
        for slot, pair in enumerate(zip(right, shuffled, strict=True), 1):
            _row(rows, slot, moment, *pair)
    return rows


def used(found: dict) -> dict[str, Sequence]:
    """One row for each number of slots ablated."""
    slots = found["slots"]
    return {"ablated": range(len(slots["best"])), "those that matter": slots["best"], "others": slots["others"]}


def interference(found: dict) -> dict[str, Sequence]:
    """One row for each kind and moment."""
    rows = {name: [] for name in ("second fact", "segments since", "P(first)", "P(second)")}
    for kind, of in found["interference"].items():
        for row in zip(of["distance"], of["first"]["mean"], of["second"]["mean"], strict=True):
            _row(rows, kind, *row)
    return rows


def segments(found: dict) -> dict[str, Sequence]:
    """One row for each segment."""
    return {"segment": range(1, len(found["segments"]) + 1), "part of the logit": found["segments"]}


def tokens(found: dict, run: Run) -> dict[str, Sequence]:
    """One row for each token."""
    starts = run.trace.arrays["starts"]
    of = np.searchsorted(starts, np.arange(len(found["tokens"])), side="right")
    return {"segment": of, "token": run.trace.tokens, "part of the logit": found["tokens"]}


def local(found: dict) -> dict[str, Sequence]:
    """One row for each class, or token of the last segment."""
    names = found["classes"] or range(1, len(found["local"]) + 1)
    return {"of": list(names), "last segment alone": found["local"], "memory adds": found["memory"]}


def slots(found: dict) -> dict[str, Sequence]:
    """One row for each slot."""
    return {"slot": range(1, len(found["slots"]) + 1), "part of the logit": found["slots"]}


def _row(rows: dict[str, list], *values) -> None:
    for column, value in zip(rows.values(), values, strict=True):
        column.append(value)
