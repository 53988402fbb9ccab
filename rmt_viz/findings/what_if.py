"""What the figures of What if show, as a sentence each and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.measure.contrast import Contrast
from rmt.trace import Trace
from rmt_viz.findings.words import add_row, listed, names

MOST = 0.5  # of runs with other facts
MATTERS = 0.1  # a fall of P(answer) worth a word


def what_if(one: Trace, other: Trace, found: Contrast) -> str:
    """What a change did."""
    if found.first is None:
        return "Nothing changes: the two runs are the same, to the last bit"
    where = f"memory parts ways in segment {found.first + 1}"
    if found.people:
        return f"{_people(one, found)}; {where}"
    if one.answer is None or other.answer is None:
        moved = float(np.nanmean(found.loss)) if np.isfinite(found.loss).any() else None
        return f"{where.capitalize()}" + ("" if moved is None else f"; the mean loss changes by {moved:+.3f} nats")
    was, now = one.probabilities[one.answer], other.probabilities[other.answer]
    if one.answer != other.answer:
        return f"The answer turns from {one.answer} ({was:.2f}) to {other.answer} ({now:.2f}); {where}"
    return f"The answer stays {one.answer} ({was:.2f}, now {now:.2f}), though {where}"


def _people(one: Trace, found: Contrast) -> str:
    """Of whom something else is answered, at the end or on the way, and who stays."""
    end = [each for each in found.people if each.before[-1] != each.after[-1]]
    way = [each for each in found.people if each not in end and not each.stays]
    stay = [each.name for each in found.people if each.stays]
    parts = [f"{each.name}: {one.classes[each.before[-1]]} becomes {one.classes[each.after[-1]]}" for each in end]
    parts += [
        f"{each.name}: another answer after segment {listed(each.apart - 1)}, the same at the end" for each in way
    ]
    if not parts:
        return "All answers stay"
    return "; ".join([*parts, f"{names(stay)} {'stays' if len(stay) == 1 else 'stay'}" if stay else "nobody stays"])


def people_table(one: Trace, found: Contrast) -> dict[str, Sequence]:
    """One row for each that can be asked for and moment."""
    rows = {name: [] for name in ("about", "after segment", "as it was", "changed", "right in the changed text")}
    for each in found.people:
        for moment, (before, after, truth) in enumerate(zip(each.before, each.after, each.truth, strict=True)):
            right = one.classes[truth] if truth >= 0 else "not known"
            add_row(rows, each.name, moment, one.classes[before], one.classes[after], right)
    return rows


def blank(other: Trace) -> str:
    """What runs with other facts answer that were changed alike, "" where that was not counted."""
    found = other.meta.get("blank")
    if not found:
        return ""
    return (
        f"Changed alike, {found['runs']} runs with other facts answer {found['answer']} most often "
        f"({found['share']:.0%}); {found['right']:.0%} of them are right, {found['unchanged']:.0%} unchanged."
    )


def what_if_table(found: Contrast) -> dict[str, Sequence]:
    """One row for each moment."""
    table = {"after segment": np.arange(len(found.apart)), "distance of the memories": found.apart}
    for name, before, after in zip(found.classes, found.before, found.after, strict=True):
        table |= {f"P({name}) as it was": before, f"P({name}) changed": after}
    if np.isfinite(found.loss).any():
        table["loss changed - as it was"] = np.concatenate([[np.nan], found.loss])
    return table


def slot_map(found: dict) -> str:
    """What ablation of single slots and of all but one tells."""
    without, alone, whole = (np.array(found[name], float) for name in ("without", "alone", "whole"))
    if found["answer"] is None:
        return f"Without the whole memory the mean loss rises by up to {whole.max():.3f} nats"
    others = found.get("blank")
    if others and others["answer"] == found["answer"] and others["share"] >= MOST:
        return (
            f"Without memory {others['share']:.0%} of runs with other facts answer {found['answer']}, too: taking it "
            "away tells nothing of this answer"
        )
    if whole.max() < MATTERS:
        return f"P({found['answer']}) does not hang on memory here: without all of it, it falls by {whole.max():.2f}"
    rows = whole >= MATTERS  # the moments at which memory holds the answer at all
    needed, enough = without[rows] >= MATTERS, (alone[rows] < MATTERS).all(0)
    when = np.array(found["segments"])[rows][needed.any(1)]
    if not needed.any():
        one = "no slot is needed"
    elif needed.any(1).all():
        one = _slots(needed.any(0), "is needed", "are needed")
    else:
        one = f"a slot by itself is needed only before segment{'s' if len(when) > 1 else ''} {listed(when)}"
    if enough.all():
        two = "each is enough alone"
    else:
        two = _slots(enough, "alone is enough", "alone are enough") if enough.any() else "none is enough alone"
    return f"Memory holds the answer, and {one}; {two}"


def slot_map_table(found: dict) -> dict[str, Sequence]:
    """One row for each segment and slot; slot 0 is all of them."""
    rows = {"segment": [], "slot": [], "without": [], "alone": []}
    for i, segment in enumerate(found["segments"]):
        for slot, (one, alone) in enumerate(zip(found["without"][i], found["alone"][i], strict=True), 1):
            add_row(rows, segment + 1, slot, one, alone)
        add_row(rows, segment + 1, 0, found["whole"][i], np.nan)
    return rows


def _slots(which: np.ndarray, is_: str, are: str) -> str:
    indices = np.flatnonzero(which)
    return f"slot {listed(indices)} {is_}" if len(indices) == 1 else f"slots {listed(indices)} {are}"
