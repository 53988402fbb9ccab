"""Reasoning: two facts anywhere in the document, and a question about one of them (two-argument relations)."""

import re

from rmt.tasks.base import PLACES, Rng, Story, Task
from rmt.tasks.questions import Look

DIRECTIONS = ("north", "south", "east", "west")
RELATION = Look(
    re.compile(rf"[Tt]he (?P<a>\w+) is (?P<how>{'|'.join(DIRECTIONS)}) of the (?P<b>\w+)\."),
    (("What is {how} of the {b}?", "a"), ("What is the {a} {how} of?", "b")),
)


def story(rng: Rng, *, forms: int = 2) -> Story:
    """Draw a story: three places in a line, told in two facts.

    The middle place is in both facts and in the question, so that a place alone does not give the answer.
    forms: 1 asks only "What is the {middle} east of?", 2 also "What is east of the {middle}?".
    """
    first, middle, last = rng.permutation(len(PLACES))[:3]
    direction = rng.choice(DIRECTIONS)
    ask_first = f"What is {direction} of the {PLACES[middle]}?"
    ask_last = f"What is the {PLACES[middle]} {direction} of?"
    facts_with_questions = [
        (f"The {PLACES[first]} is {direction} of the {PLACES[middle]}.", ask_first, int(first)),
        (f"The {PLACES[middle]} is {direction} of the {PLACES[last]}.", ask_last, int(last)),
    ]
    rng.shuffle(facts_with_questions)
    facts, answers = (
        tuple(fact for fact, _, _ in facts_with_questions),
        ((), *(((question, answer),) for _, question, answer in facts_with_questions)),
    )
    if rng.integers(forms):
        return Story(facts, ask_first, int(first), answers)
    return Story(facts, ask_last, int(last), answers)


TASK = Task(
    "reasoning", PLACES, story, lessons=({"noise": False, "forms": 1}, {"noise": False}), title="Reasoning",
    keeps="one of two facts", about=PLACES, looks=(RELATION,),
    example="The garden is west of the office. {noise} The office is west of the kitchen. "
    "{noise} What is the office west of?",
    hint="It is told two facts anywhere and asked for one: “The garden is north of the kitchen. The kitchen is north "
    "of the office.” … “What is the kitchen north of?”",
)  # fmt: skip
