"""What the figures of Facts show, as a sentence each and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.viewer.slices import Run
from rmt_viz.findings.words import add_row, percent

KNOWN = 0.5


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


def survival_table(found: dict[str, dict]) -> dict[str, Sequence]:
    """One row for each control and distance."""
    rows = {name: [] for name in ("control", "segments since", "P mean", "P 10 %", "P 90 %", "right")}
    for control, document in found.items():
        of = document["survival"]
        for row in zip(of["distance"], of["mean"], of["low"], of["high"], of["right"], strict=True):
            add_row(rows, control, *row)
    return rows


def placed(facts: Sequence[dict], run: Run) -> list[dict]:
    """Facts of a run with the moments at which each is told and replaced, None where it is not.

    who: about which of those that can be asked for each is, counted from 0, None where it is about none of them.
    """
    questions = [question["text"] for question in run.trace.questions]
    after = lambda end: run.trace.segment_of(end - 1) + 1  # noqa: E731
    return [
        {
            **fact,
            "told": after(fact["end"]),
            "replaced": after(fact["until"]) if fact.get("until") else None,
            "who": questions.index(fact["question"]) if fact["question"] in questions else None,
        }
        for fact in facts
    ]


def ledger(facts: Sequence[dict]) -> str:
    """Which facts of one run are there at its end."""
    if not facts:
        return "This run tells no fact that can be asked for"
    holding = [fact for fact in facts if not fact.get("until")]
    there = [fact for fact in holding if fact["p"][-1] >= KNOWN]
    if len(facts) == 1:
        last, best, name = facts[0]["p"][-1], max(facts[0]["p"]), facts[0]["answer"]
        if f"{last:.2f}" == f"{best:.2f}":
            return f"P({name}) ends at its best, {last:.2f}"
        return f"P({name}) is {last:.2f} at the end, {best:.2f} at its best"
    if len(holding) == len(facts):
        return f"{len(there)} of {len(facts)} facts are there at the end"
    old = [fact for fact in facts if fact.get("until")]
    stale = sum(fact["p"][-1] >= KNOWN for fact in old)
    told = f"{len(there)} of the {len(holding)} facts that hold at the end are there"
    return f"{told}; of {len(old)} that were replaced, {stale or 'none'} {'are' if stale > 1 else 'is'} answered still"


def ledger_table(facts: Sequence[dict]) -> dict[str, Sequence]:
    """One row for each moment."""
    n = len(facts[0]["p"]) if facts else 0
    return {"after segment": np.arange(n), **{f"{fact['text']} ({fact['answer']})": fact["p"] for fact in facts}}


def used(found: dict) -> str:
    """Which slots carry facts, by ablation."""
    slots = found["slots"]
    n, best, others = len(slots["fall"]), slots["best"], slots["others"]
    k = n // 2
    told = (
        f"Without the {k} slots that matter most {percent(best[k])} are right, without {k} others {percent(others[k])}"
    )
    blank = slots.get("blank")
    others = f": {percent(blank['share'])} are then answered with {blank['answer']}" if blank else ""
    return f"{told}, without all {percent(best[-1])}{others}"


def used_table(found: dict) -> dict[str, Sequence]:
    """One row for each number of slots ablated."""
    slots = found["slots"]
    return {"ablated": range(len(slots["best"])), "those that matter": slots["best"], "others": slots["others"]}


def readable(found: dict) -> str:
    """Where a linear probe finds the answer."""
    probes = found["probes"]
    right, moment = np.array(probes["right"]), probes["moments"].index(1) if 1 in probes["moments"] else 0
    low, high = right[moment].min(), right[moment].max()
    shuffled = np.array(probes["shuffled"])[moment].mean()
    best = f"{percent(low)} to {percent(high)}" if low < high else percent(low)
    told = f"One segment after the fact a linear probe of one slot gets {best} right"
    return f"{told} (shuffled labels: {percent(shuffled)})"


def readable_table(found: dict) -> dict[str, Sequence]:
    """One row for each slot and moment."""
    rows = {name: [] for name in ("slot", "segments since", "right", "shuffled")}
    of = found["probes"]
    for moment, right, shuffled in zip(of["moments"], of["right"], of["shuffled"], strict=True):
        for slot, pair in enumerate(zip(right, shuffled, strict=True), 1):
            add_row(rows, slot, moment, *pair)
    return rows


def interference(found: dict) -> str:
    """What a second fact does to the first."""
    parts = []
    for kind, of in (("another", "about somebody else"), ("same", "about the same")):
        rows = found["interference"][kind]
        before, after, second = rows["first"]["mean"][0], rows["first"]["mean"][-1], rows["second"]["mean"][-1]
        parts.append(f"a second fact {of} leaves P(first) at {after:.2f} of {before:.2f}, P(second) at {second:.2f}")
    return "A" + parts[0][1:] + "; " + parts[1]


def interference_table(found: dict) -> dict[str, Sequence]:
    """One row for each kind and moment."""
    rows = {name: [] for name in ("second fact", "segments since", "P(first)", "P(second)")}
    for kind, of in found["interference"].items():
        for row in zip(of["distance"], of["first"]["mean"], of["second"]["mean"], strict=True):
            add_row(rows, kind, *row)
    return rows
