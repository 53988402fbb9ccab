"""What the experiment of the front page shows, in sentences made from its numbers. No torch."""

from collections.abc import Sequence

import numpy as np

from rmt_viz.shelf.experiment import Experiment

HOLDS = 0.5  # a slot holds a fact that makes at least so much of its length another one when it is exchanged
QUIET = 0.1  # less than this is called no change
USED = 0.95  # share of right answers from which segments count as long enough
MANY = 3  # facts from here on are not named one by one


def said(experiment: Experiment, exchanged: Sequence[str], runs: dict, classes: Sequence[str]) -> dict:
    """The sentences of each condition: "memory" and "reset" for each person asked, "changed" for each fact, too.

    exchanged: the place that each fact is exchanged for. runs: "memory" and "reset" with "answers" (N, 1 + F, Q, C).
    """
    people = experiment.people()
    last = {name: np.asarray(run["answers"][-1]) for name, run in runs.items()}  # (1 + F, Q, C)
    changed = [
        [_changed(experiment, f, exchanged[f], who, last["memory"][:, q], classes) for q, who in enumerate(people)]
        for f in range(len(exchanged))
    ]
    return {
        "memory": [_asked(experiment, exchanged, who, last["memory"][:, q], classes) for q, who in enumerate(people)],
        "reset": [_asked(experiment, exchanged, who, last["reset"][:, q], classes) for q, who in enumerate(people)],
        "changed": changed,
    }


def _answer(row: np.ndarray, classes: Sequence[str]) -> str:
    best = int(row.argmax())
    return f"{classes[best]} ({row[best]:.2f})"


def _asked(experiment: Experiment, exchanged: Sequence[str], who: str, rows: np.ndarray, classes: Sequence[str]) -> str:
    """What is answered about a person, which facts that hangs on, and whether it is right. rows (1 + F, C)."""
    best = rows.argmax(-1)
    facts = [fact for _, fact in experiment.facts]
    move = [f for f in range(len(facts)) if best[f + 1] != best[0]]
    stay = [f for f in range(len(facts)) if best[f + 1] == best[0]]
    verdict = _verdict(experiment, who, classes[best[0]])
    told = f"Asked where {who} is, it answers {_answer(rows[0], classes)}{verdict}"
    if not facts:
        return f"{told} The text tells no fact."
    if not move:
        every = "the fact" if len(facts) == 1 else "any fact"
        return f"{told} Change {every} and it stays: nothing that the text tells reaches this answer."
    each = [f"change {_whose(experiment, f)} to {exchanged[f]} and it answers {classes[best[f + 1]]}" for f in move]
    if stay:
        each.append(f"change {_listed(experiment, stay) if len(stay) < MANY else 'any other'} and it stays")
    sentence = "; ".join(each)
    return f"{told} {sentence[0].upper()}{sentence[1:]}."


def _verdict(experiment: Experiment, who: str, answer: str) -> str:
    truth = experiment.truth(who)
    if truth is None or truth == answer:
        return "."
    where = "nowhere mentioned" if truth == "never mentioned" else f"in the {truth}"
    return f", which is wrong: in this text {who} is {where}."


def _whose(experiment: Experiment, fact: int) -> str:
    """A fact as a sentence calls it: by its person, and where it stands if the person has several."""
    told = experiment.facts[fact][1]
    own = [f for f, (_, other) in enumerate(experiment.facts) if other.who == told.who]
    if len(own) == 1:
        return f"{told.who}’s fact"
    if fact == own[-1]:
        return f"{told.who}’s latest fact"
    return f"{told.who}’s {'first' if fact == own[0] else 'earlier'} fact"


def _listed(experiment: Experiment, facts: Sequence[int]) -> str:
    """Several facts in one phrase: John’s, Sandra’s or Daniel’s."""
    names = list(dict.fromkeys(_whose(experiment, f).replace(" fact", "") for f in facts))
    if len(names) == 1:
        return f"{names[0]}{' fact' if ' ' in names[0] else ''}"
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _changed(experiment: Experiment, fact: int, place: str, who: str, rows: np.ndarray, classes: Sequence[str]) -> str:
    """What exchanging one fact makes of an answer."""
    told = experiment.facts[fact][1]
    before, after = int(rows[0].argmax()), int(rows[fact + 1].argmax())
    began = f"{_whose(experiment, fact)} says {place} instead of {told.where}. Asked where {who} is, it answers "
    if before == after:
        return f"{began}{_answer(rows[fact + 1], classes)} as before: this answer does not hang on that fact."
    return f"{began}{_answer(rows[fact + 1], classes)} instead of {_answer(rows[0], classes)}."


def notes(experiment: Experiment, lengths: Sequence[int] = (), short: dict | None = None) -> list[str]:
    """What the model does not know, and what therefore is not said.

    lengths: tokens of the segments that tell facts. short: the document of benchmarks.short_segments about the model.
    """
    told = _short(lengths, short) if short and lengths and experiment.trained else []
    if unknown := experiment.unknown():
        words = _and([f"“{word}”" for word in unknown])
        what = "is no word" if len(unknown) == 1 else "are no words"
        told.append(
            f"{words} {what} of the four people and six places that this model was trained on: it was never taught to "
            "keep such a fact, and it cannot answer with another place."
        )
    named = [who for who in experiment.people() if who not in unknown and experiment.truth(who) is None]
    named = [who for who in named if not any(f.who == who and f.where in unknown for _, f in experiment.facts)]
    if named:
        told.append(
            f"The prose names {_and(named)} outside the facts, so no answer about "
            f"{'them' if len(named) > 1 else named[0]} is called wrong."
        )
    return told


def _short(lengths: Sequence[int], document: dict) -> list[str]:
    """What shorter segments than in training do to the model, where the text has such."""
    apart = [row for row in document["rows"] if not row["side_by_side"]]
    enough = min((row["tokens"] for row in apart if row["right"] >= USED), default=0)
    tokens = round(float(np.mean(lengths)))
    if tokens >= enough:
        return []
    like = min(apart, key=lambda row: abs(row["tokens"] - tokens))
    fits = next(row for row in apart if row["tokens"] == enough)
    together = next(row for row in document["rows"] if row["side_by_side"])
    percent = [f"{100 * row['right']:.0f} %" for row in (like, fits, together)]
    return [
        f"Its facts stand in segments of {tokens} tokens here; in training a segment had {document['segment_length']}. "
        f"Of {like['texts']} other texts this model answers {percent[0]} right at {like['tokens']} tokens a segment, "
        f"{percent[1]} at {fits['tokens']}, and {percent[2]} with the same sentences side by side in one segment."
    ]


def moments(experiment: Experiment, total: int, boundaries: Sequence[int], slots: np.ndarray, reset: bool) -> list[str]:
    """What happens at each boundary: what was read and what it did to the slots. slots (N, M, F) as in `Carried`."""
    facts, found = experiment.facts, ["Before the text: the initial memory tokens, the same for every text."]
    for n in range(1, len(boundaries)):
        first, last = boundaries[n - 1] + 1, boundaries[n]
        before = np.zeros_like(slots[0]) if reset else slots[n - 1]
        here = [f for f, (s, _) in enumerate(facts) if first <= s + 1 <= last]
        where = f"Segment {last} of {total}" if first == last else f"Segments {first} to {last} of {total}"
        told = [_taken(experiment, f, slots[n]) for f in here]
        told += [_given_up(experiment, f, before, slots[n]) for f in range(len(facts)) if f not in here]
        told = [one for one in told if one]
        if here:
            read = " ".join(f"“{facts[f][1].sentence}”" for f in here)
            sentence = f"{where} reads {read} {' '.join(told)}"
        elif told:
            sentence = f"{where}: background. {' '.join(told)}"
        else:
            most = float(np.abs(slots[n] - before).max(initial=0)) if len(facts) else 0.0
            held = "nothing is carried" if not slots[n].max(initial=0) > QUIET else "the slots keep what they carry"
            change = "" if held.startswith("nothing") else f" (largest change {most:.2f})"
            sentence = f"{where}: background, {held}{change}."
        found.append(sentence + (" Then memory is reset." if reset else ""))
    return found


def _taken(experiment: Experiment, fact: int, after: np.ndarray) -> str:
    most, who = float(after[:, fact].max()), experiment.facts[fact][1].who
    if most < HOLDS:
        return f"No slot takes it up: change it, and a slot differs by {most:.2f} of its length at most."
    slots = _slots(np.flatnonzero(after[:, fact] >= HOLDS))
    return f"{slots} up {who}’s fact (change it: up to {most:.2f} of a slot’s length)."


def _given_up(experiment: Experiment, fact: int, before: np.ndarray, after: np.ndarray) -> str:
    lost = np.flatnonzero((before[:, fact] >= HOLDS) & (after[:, fact] < HOLDS))
    if not len(lost):
        return ""
    return f"{_slots(lost, 'lose', 'loses')} {_whose(experiment, fact)}."


def _slots(which: np.ndarray, many: str = "take", one: str = "takes") -> str:
    names = [str(slot + 1) for slot in which.tolist()]
    return f"Slot {names[0]} {one}" if len(names) == 1 else f"Slots {_and(names)} {many}"


def _and(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
