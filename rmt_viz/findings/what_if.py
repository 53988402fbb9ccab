"""Findings of What if: what each figure shows, as a sentence and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.measure.contrast import Contrast
from rmt.trace import Trace
from rmt_viz.findings.words import add_row, listed, names

MOST = 0.5  # of runs with other facts
MATTERS = 0.1  # a fall of P(answer) worth a word


def what_if(original: Trace, changed: Trace, difference: Contrast) -> str:
    """A sentence on what the change did to the answer and to memory."""
    if difference.first is None:
        return "Nothing changes: the two runs are the same, to the last bit"
    where = f"the memories differ from segment {difference.first + 1} on"
    if difference.people:
        return f"{_people(original, difference)}; {where}"
    if original.answer is None or changed.answer is None:
        moved = float(np.nanmean(difference.loss)) if np.isfinite(difference.loss).any() else None
        return f"{where.capitalize()}" + ("" if moved is None else f"; the mean loss changes by {moved:+.3f} nats")
    was, now = original.probabilities[original.answer], changed.probabilities[changed.answer]
    if original.answer != changed.answer:
        return f"The answer turns from {original.answer} ({was:.2f}) to {changed.answer} ({now:.2f}); {where}"
    return f"The answer stays {original.answer} ({was:.2f}, now {now:.2f}), though {where}"


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


def blank(answers: dict | None) -> str:
    """A sentence on what runs with other facts answer after the same change; "" where that was not counted."""
    if not answers:
        return ""
    return (
        f"After the same change, {answers['runs']} runs with other facts answer {answers['answer']} most often "
        f"({answers['share']:.0%}); {answers['right']:.0%} of them are right, {answers['unchanged']:.0%} unchanged."
    )


def what_if_table(difference: Contrast) -> dict[str, Sequence]:
    """Columns of the two runs: a row for each moment."""
    table = {"after segment": np.arange(len(difference.apart)), "distance of the memories": difference.apart}
    for name, before, after in zip(difference.classes, difference.before, difference.after, strict=True):
        table |= {f"P({name}) as it was": before, f"P({name}) changed": after}
    if np.isfinite(difference.loss).any():
        table["loss changed - as it was"] = np.concatenate([[np.nan], difference.loss])
    return table


def slot_map(effects: dict) -> str:
    """A sentence on which slots the answer needs, and which are enough alone."""
    without, alone, whole = (np.array(effects[name], float) for name in ("without", "alone", "whole"))
    if effects["answer"] is None:
        return f"Without the whole memory the mean loss rises by up to {whole.max():.3f} nats"
    blank = effects.get("blank")
    if blank and blank["answer"] == effects["answer"] and blank["share"] >= MOST:
        return (
            f"Without memory {blank['share']:.0%} of runs with other facts answer {effects['answer']}, too: taking it "
            "away tells nothing of this answer"
        )
    if whole.max() < MATTERS:
        return (
            f"P({effects['answer']}) does not depend on memory here: without all of it, it falls by {whole.max():.2f}"
        )
    rows = whole >= MATTERS  # the moments at which memory holds the answer at all
    needed, enough = without[rows] >= MATTERS, (alone[rows] < MATTERS).all(0)
    when = np.array(effects["segments"])[rows][needed.any(1)]
    if not needed.any():
        which_needed = "no slot is needed"
    elif needed.any(1).all():
        which_needed = _slots(needed.any(0), "is needed", "are needed")
    else:
        which_needed = f"a slot by itself is needed only before segment{'s' if len(when) > 1 else ''} {listed(when)}"
    if enough.all():
        which_enough = "each is enough alone"
    else:
        which_enough = _slots(enough, "alone is enough", "alone are enough") if enough.any() else "none is enough alone"
    return f"Memory holds the answer, and {which_needed}; {which_enough}"


def slot_map_table(effects: dict) -> dict[str, Sequence]:
    """Columns of the slot map: a row for each segment and slot; slot 0 stands for all of them."""
    rows = {"segment": [], "slot": [], "without": [], "alone": []}
    for i, segment in enumerate(effects["segments"]):
        for slot, (without, alone) in enumerate(zip(effects["without"][i], effects["alone"][i], strict=True), 1):
            add_row(rows, segment + 1, slot, without, alone)
        add_row(rows, segment + 1, 0, effects["whole"][i], np.nan)
    return rows


def _slots(which: np.ndarray, is_: str, are: str) -> str:
    indices = np.flatnonzero(which)
    return f"slot {listed(indices)} {is_}" if len(indices) == 1 else f"slots {listed(indices)} {are}"
