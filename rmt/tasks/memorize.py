"""Memorize: one fact at the start of the document, the question at its end (Bulatov et al. 2024, section 4)."""

import re

from rmt.tasks.base import ACTIONS, NAMES, PLACES, Rng, Story, Task
from rmt.tasks.questions import Look

MOVE = Look(
    re.compile(rf"(?P<who>[A-Z]\w+) (?:{'|'.join(ACTIONS)}) to the (?P<where>\w+)\."), (("Where is {who}?", "where"),)
)
PEOPLE = f"The people it knows are {', '.join(NAMES)}, who {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}."


def story(rng: Rng) -> Story:
    """Draw a story: a person went to a place; the question asks where the person is."""
    name, action, place = rng.choice(NAMES), rng.choice(ACTIONS), int(rng.integers(len(PLACES)))
    question = f"Where is {name}?"
    return Story((f"{name} {action} to the {PLACES[place]}.",), question, place, ((), ((question, place),)))


TASK = Task(
    "memorize", PLACES, story, facts_first=True, title="Memorize", about=NAMES, looks=(MOVE,), knows=PEOPLE,
    keeps="a place, whoever is asked for",
    example="Mary went to the garden. {noise} Where is Mary?",
    hint="It remembers the place that somebody went to, told at the start: “Mary went to the garden.” … “Where "
    "is Mary?” It gives that place whoever is asked for.",
)  # fmt: skip
