"""Findings of Facts: what each figure shows, as a sentence and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.measure import KNOWN
from rmt.viewer.slices import Run
from rmt_viz.findings.words import add_row, percent


def tells_nothing(run: Run) -> bool:
    """Whether a run tells no fact and asks no question, as a text that was read for its own sake."""
    return not run.trace.questions and not any(span["kind"] == "fact" for span in run.trace.spans)


def survival(documents: dict[str, dict]) -> str:
    """A sentence on how many facts a checkpoint's memory captures, and how long it keeps them."""
    trained = documents["trained"]
    last = trained["retention"][-1]
    captured = f"{percent(trained['capture']['share'])} of {trained['facts']} facts are captured"
    retained = f"{percent(last['share'])} of those are there {last['distance']} segments later"
    controls = [
        f"{name} {percent(documents[name]['survival']['right'][-1])} of all"
        for name in ("reset", "untrained")
        if name in documents
    ]
    return f"{captured}, {retained}" + (f" ({', '.join(controls)})" if controls else "")


def survival_table(documents: dict[str, dict]) -> dict[str, Sequence]:
    """Columns of the survival figure: a row for each control and distance."""
    rows = {name: [] for name in ("control", "segments since", "P mean", "P 10 %", "P 90 %", "right")}
    for control, document in documents.items():
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
    """A sentence on which facts of one run are still known at its end."""
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
    """Columns of the facts of one run: a row for each moment."""
    n = len(facts[0]["p"]) if facts else 0
    return {"after segment": np.arange(n), **{f"{fact['text']} ({fact['answer']})": fact["p"] for fact in facts}}


def used(document: dict) -> str:
    """A sentence on which slots carry facts, by ablation."""
    slots = document["slots"]
    k, best, others = len(slots["fall"]) // 2, slots["best"], slots["others"]
    blank = slots.get("blank")
    answers = f": {percent(blank['share'])} are then answered with {blank['answer']}" if blank else ""
    rest = f"without all {percent(best[-1])}{answers}"
    if best[k] > others[k]:  # on other runs than those that the slots were ranked on
        low, high = f"{min(slots['fall']):.2f}", f"{max(slots['fall']):.2f}"
        alone = low if low == high else f"{low} to {high}"
        halves = f"one half of them {percent(best[k])} are right, without the other {percent(others[k])}"
        return f"Slots matter alike: ablated alone, each costs P {alone}; without {halves}, {rest}"
    most = f"Without the {k} slots that matter most {percent(best[k])} are right"
    return f"{most}, without {k} others {percent(others[k])}, {rest}"


def used_table(document: dict) -> dict[str, Sequence]:
    """Columns of the ablations: a row for each number of slots ablated."""
    slots = document["slots"]
    return {"ablated": range(len(slots["best"])), "those that matter": slots["best"], "others": slots["others"]}


def readable(document: dict) -> str:
    """A sentence on where a linear probe finds the answer."""
    probes = document["probes"]
    right, moment = np.array(probes["right"]), probes["moments"].index(1) if 1 in probes["moments"] else 0
    low, high = right[moment].min(), right[moment].max()
    shuffled = np.array(probes["shuffled"])[moment].mean()
    best = f"{percent(low)} to {percent(high)}" if low < high else percent(low)
    sentence = f"One segment after the fact a linear probe of one slot gets {best} right"
    return f"{sentence} (shuffled labels: {percent(shuffled)})"


def readable_table(document: dict) -> dict[str, Sequence]:
    """Columns of the probes: a row for each slot and moment."""
    rows = {name: [] for name in ("slot", "segments since", "right", "shuffled")}
    of = document["probes"]
    for moment, right, shuffled in zip(of["moments"], of["right"], of["shuffled"], strict=True):
        for slot, pair in enumerate(zip(right, shuffled, strict=True), 1):
            add_row(rows, slot, moment, *pair)
    return rows


def interference(document: dict) -> str:
    """A sentence on what a second fact does to the first."""
    parts = []
    for kind, of in (("another", "about somebody else"), ("same", "about the same")):
        rows = document["interference"][kind]
        before, after, second = rows["first"]["mean"][0], rows["first"]["mean"][-1], rows["second"]["mean"][-1]
        parts.append(f"a second fact {of} leaves P(first) at {after:.2f} of {before:.2f}, P(second) at {second:.2f}")
    return "A" + parts[0][1:] + "; " + parts[1]


def interference_table(document: dict) -> dict[str, Sequence]:
    """Columns of the interference figure: a row for each kind of second fact and moment."""
    rows = {name: [] for name in ("second fact", "segments since", "P(first)", "P(second)")}
    for kind, of in document["interference"].items():
        for row in zip(of["distance"], of["first"]["mean"], of["second"]["mean"], strict=True):
            add_row(rows, kind, *row)
    return rows
