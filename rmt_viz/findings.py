"""What the figures of What if, Facts and Why show, in one sentence each, from the numbers at hand."""

from collections.abc import Sequence

import numpy as np

from rmt.measure.contrast import Contrast
from rmt.trace import Trace
from rmt.viewer.slices import Run
from rmt_viz.causes import percent

MATTERS = 0.1  # a fall of P(answer) worth a word
KNOWN = 0.5
LOGIT = 0.5  # a part of a logit worth a word


def what_if(one: Trace, other: Trace, found: Contrast) -> str:
    """What a change did."""
    if found.first is None:
        return "Nothing changes: the two runs are the same, to the last bit"
    where = f"memory parts ways in segment {found.first + 1}"
    if one.answer is None or other.answer is None:
        moved = float(np.nanmean(found.loss)) if np.isfinite(found.loss).any() else None
        return f"{where.capitalize()}" + ("" if moved is None else f"; the mean loss changes by {moved:+.3f} nats")
    was, now = one.probabilities[one.answer], other.probabilities[other.answer]
    if one.answer != other.answer:
        return f"The answer turns from {one.answer} ({was:.2f}) to {other.answer} ({now:.2f}); {where}"
    return f"The answer stays {one.answer} ({was:.2f}, now {now:.2f}), though {where}"


def slot_map(found: dict) -> str:
    """What ablation of single slots and of all but one tells."""
    without, alone, whole = (np.array(found[name], float) for name in ("without", "alone", "whole"))
    if found["answer"] is None:
        return f"Without the whole memory the mean loss rises by up to {whole.max():.3f} nats"
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
        one = f"a slot by itself is needed only before segment{'s' if len(when) > 1 else ''} {_list(when)}"
    if enough.all():
        two = "each is enough alone"
    else:
        two = _slots(enough, "alone is enough", "alone are enough") if enough.any() else "none is enough alone"
    return f"Memory holds the answer, and {one}; {two}"


def _slots(which: np.ndarray, is_: str, are: str) -> str:
    indices = np.flatnonzero(which)
    return f"slot {_list(indices)} {is_}" if len(indices) == 1 else f"slots {_list(indices)} {are}"


def survival(found: dict[str, dict]) -> str:
    """How long facts live in a checkpoint's memory."""
    trained = found["trained"]
    last = trained["retention"][-1]
    told = f"{percent(trained['capture']['share'])} of {trained['facts']} facts are captured"
    kept = f"{percent(last['share'])} of those are there {last['distance']} segments later"
    controls = [
        f"{name} {percent(found[name]['survival']['right'][-1])} of all"
        for name in ("reset", "untrained")
        if name in found
    ]
    return f"{told}, {kept}" + (f" ({', '.join(controls)})" if controls else "")


def ledger(facts: Sequence[dict]) -> str:
    """Which facts of one run are there at its end."""
    if not facts:
        return "This run tells no fact that can be asked for"
    there = [fact for fact in facts if fact["p"][-1] >= KNOWN]
    if len(facts) == 1:
        last, best, name = facts[0]["p"][-1], max(facts[0]["p"]), facts[0]["answer"]
        if f"{last:.2f}" == f"{best:.2f}":
            return f"P({name}) ends at its best, {last:.2f}"
        return f"P({name}) is {last:.2f} at the end, {best:.2f} at its best"
    return f"{len(there)} of {len(facts)} facts are there at the end"


def used(found: dict) -> str:
    """Which slots carry facts, by ablation."""
    slots = found["slots"]
    n, best, others = len(slots["fall"]), slots["best"], slots["others"]
    k = n // 2
    told = (
        f"Without the {k} slots that matter most {percent(best[k])} are right, without {k} others {percent(others[k])}"
    )
    return f"{told}, without all {percent(best[-1])}"


def readable(found: dict) -> str:
    """Where a linear probe finds the answer."""
    probes = found["probes"]
    right, moment = np.array(probes["right"]), probes["moments"].index(1) if 1 in probes["moments"] else 0
    low, high = right[moment].min(), right[moment].max()
    shuffled = np.array(probes["shuffled"])[moment].mean()
    best = f"{percent(low)} to {percent(high)}" if low < high else percent(low)
    told = f"One segment after the fact a linear probe of one slot gets {best} right"
    return f"{told} (shuffled labels: {percent(shuffled)})"


def interference(found: dict) -> str:
    """What a second fact does to the first."""
    parts = []
    for kind, of in (("another", "about somebody else"), ("same", "about the same")):
        rows = found["interference"][kind]
        before, after, second = rows["first"]["mean"][0], rows["first"]["mean"][-1], rows["second"]["mean"][-1]
        parts.append(f"a second fact {of} leaves P(first) at {after:.2f} of {before:.2f}, P(second) at {second:.2f}")
    return "A" + parts[0][1:] + "; " + parts[1]


def why(found: dict, run: Run) -> str:
    """To what the output is owed."""
    earlier = np.array(found["segments"][:-1])
    if not len(earlier) or np.abs(earlier).max() < LOGIT:
        local = f"the last segment alone gives {found['segments'][-1]:.2f}"
        return f"{found['output']} is owed to no earlier segment: {local}"
    s = int(np.abs(earlier).argmax())
    told = f"{found['output']} is owed to segment {s + 1}: without it, its logit is {earlier[s]:.1f} lower"
    if found.get("tokens"):
        values = np.array(found["tokens"])
        first = int(np.abs(values).argmax())
        word = run.trace.token_texts(first, first + 1)[0].strip()
        told += f"; the token “{word}” carries {values[first]:.1f} of {found['value'] - found['baseline']:.1f}"
    return told


def local(found: dict) -> str:
    """Memory against the local text, of a classifier."""
    if not found["classes"]:
        gain = np.array(found["memory"])
        return f"Memory changes the log probability of a token of the last segment by {gain.mean():+.2f} on average"
    i = found["classes"].index(found["output"])
    alone = found["classes"][int(np.argmax(found["local"]))]
    return f"Memory adds {found['memory'][i]:+.1f} to {found['output']}; the last segment alone would say {alone}"


def by_slot(found: dict) -> str:
    """What single slots carry of the output before the last segment."""
    values = np.array(found["slots"])
    if not len(values) or np.abs(values).max() < LOGIT:
        most = np.abs(values).max() if len(values) else 0.0
        return f"No slot alone carries it: resetting one changes the logit by {most:.2f} at most"
    i = int(np.abs(values).argmax())
    return f"Slot {i + 1} carries most: resetting it lowers the logit by {values[i]:.2f}"


def _list(indices: Sequence[int]) -> str:
    names = [str(int(i) + 1) for i in indices]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
