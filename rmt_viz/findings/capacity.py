"""What the Capacity page says: facts held against facts told, and who is forgotten when another is added."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from rmt.tasks.babi import CROWD
from rmt.tasks.base import PLACES
from rmt_viz.findings.words import add_row, percent
from rmt_viz.shelf.results import Held

MOST = 20  # people of a text of one's own
NAMES = {"none": "", "reset": ", memory reset", "untrained": ", untrained"}


def curves(rows: Sequence[Held], segments: int) -> dict[str, list[Held]]:
    """A line of the figure for each checkpoint and control: its name -> rows by the number of facts told."""
    chosen = sorted(
        (row for row in rows if row.segments == segments),
        key=lambda row: (list(NAMES).index(row.control), row.mechanism, row.slots, row.checkpoint, row.told),
    )
    return {name: list(group) for name, group in groupby(chosen, key=label)}


def label(row: Held) -> str:
    """A line's name: the mechanism and its slots, and which control."""
    return f"{row.mechanism.upper()}, {row.slots} slots{NAMES[row.control]}"


def finding(lines: dict[str, list[Held]]) -> str:
    """How many facts the memories hold of the most that were told."""
    trained = [line[-1] for line in lines.values() if line[-1].control == "none"]
    if not trained:
        return "No memory was scored at this length"
    parts = [f"{row.slots} slots hold {row.held:.1f}" for row in trained]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"Of {trained[0].told} facts {listed}"


def table(lines: dict[str, list[Held]]) -> dict[str, list]:
    """One row for each point of the figure."""
    rows = {name: [] for name in ("memory", "told", "held", "right", "low", "high", "never mentioned", "documents")}
    for name, line in lines.items():
        for row in line:
            add_row(rows, name, row.told, row.held, row.accuracy, row.low, row.high, row.never, row.documents)
    return rows


def order(lines: dict[str, list[Held]]) -> str:
    """Who is forgotten when the most is told: the first or the last."""
    row = max((line[-1] for line in lines.values() if line[-1].control == "none"), key=lambda row: row.slots)
    third = max(1, len(row.by_order) // 3)
    first, last = np.mean(row.by_order[:third]), np.mean(row.by_order[-third:])
    told = f"{percent(float(first))} of the first {third} are right, {percent(float(last))} of the last {third}"
    return f"Of {row.told} people, {row.slots} slots: {told}"


def order_table(lines: dict[str, list[Held]]) -> dict[str, list]:
    """One row for each memory and place in the order of telling, where the most is told."""
    rows = {name: [] for name in ("memory", "told as number", "right")}
    for name, line in lines.items():
        for i, share in enumerate(line[-1].by_order, 1):
            add_row(rows, name, i, share)
    return rows


def people_in_places(n: int, seed: int) -> list[tuple[str, str]]:
    """n people, each with a place; one more leaves those before as they are."""
    rng = np.random.default_rng(seed)
    people = rng.permutation(len(CROWD))[:MOST]
    # All places once before any comes twice: so one place word cannot answer for everybody.
    places = np.concatenate([rng.permutation(len(PLACES)) for _ in range(-(-MOST // len(PLACES)))])
    return [(CROWD[i], PLACES[j]) for i, j in zip(people[:n], places[:n], strict=True)]


def live(answers: np.ndarray, facts: Sequence[tuple[str, str]], classes: Sequence[str]) -> str:
    """Whose answers are right at the end of a text of one's own, and who was forgotten at its last fact."""
    right = correct(answers, facts, classes)
    people = names(facts)
    held = sum(right[-1])
    lost = [people[i] for i in range(len(people)) if right[-2][i] and not right[-1][i] and people[i] != facts[-1][0]]
    told = f"{held} of {len(people)} people are answered right"
    who = f"; with the last fact {_and(lost)} {'was' if len(lost) == 1 else 'were'} lost" if lost else ""
    return told + who


def names(facts: Sequence[tuple[str, str]]) -> list[str]:
    """People in the order in which they are first told of."""
    return list(dict.fromkeys(name for name, _ in facts))


def truth(facts: Sequence[tuple[str, str]], told: int) -> dict[str, str]:
    """Where everybody is once so many facts are told."""
    return dict(facts[:told])


def correct(answers: np.ndarray, facts: Sequence[tuple[str, str]], classes: Sequence[str]) -> list[list[bool]]:
    """Whether each person's answer is right after each number of facts; nobody told of yet is."""
    given = np.array(classes)[answers.argmax(-1)]
    return [
        [truth(facts, k).get(name) == given[k, i] for i, name in enumerate(names(facts))] for k in range(len(facts) + 1)
    ]


def live_table(answers: np.ndarray, facts: Sequence[tuple[str, str]], classes: Sequence[str]) -> dict[str, list]:
    """One row for each person and number of facts told: what is answered, and what is right."""
    rows = {name: [] for name in ("facts told", "person", "answer", "probability", "right answer")}
    for k in range(len(facts) + 1):
        for i, name in enumerate(names(facts)):
            best = int(answers[k, i].argmax())
            add_row(rows, k, name, classes[best], answers[k, i, best], truth(facts, k).get(name, classes[-1]))
    return rows


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
