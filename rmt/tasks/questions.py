"""The questions that a told fact answers."""

import re
from collections.abc import Sequence

from rmt.tasks.base import ACTIONS

WENT = re.compile(rf"(?P<who>[A-Z]\w+) (?:{'|'.join(ACTIONS)}) to the (?P<where>\w+)\.")
LIES = re.compile(r"[Tt]he (?P<a>\w+) is (?P<how>north|south|east|west) of the (?P<b>\w+)\.")
QUESTIONS = (  # how a fact is told, what can be asked about it, and which of its words answers
    (WENT, "Where is {who}?", "where"),
    (LIES, "What is {how} of the {b}?", "a"),
    (LIES, "What is the {a} {how} of?", "b"),
)


def question_about(fact: str, others: Sequence[str], classes: Sequence[str]) -> tuple[str, int] | None:
    """What to ask about a fact, and the class of its answer; None for a sentence that tells none.

    A relation can be asked for from both sides: the side is chosen that another fact names, too, as the task does.
    """
    found = []
    for form, question, answer in QUESTIONS:
        match = form.fullmatch(fact)
        if match and match[answer] in classes:
            rest = {name: word for name, word in match.groupdict().items() if name not in (answer, "how")}
            shared = any(re.search(rf"\b{re.escape(word)}\b", other) for word in rest.values() for other in others)
            found.append((not shared, len(found), question.format(**match.groupdict()), classes.index(match[answer])))
    return min(found)[2:] if found else None
