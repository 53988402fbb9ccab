"""The forms of facts in a text and the questions they answer, for texts that were not made from a story."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Look:
    """One form of fact: a pattern with named groups, and its questions.

    questions: pairs (question, in which {group} stands for the match of a group; name of the group that answers it).
    """

    pattern: re.Pattern
    questions: tuple[tuple[str, str], ...]


def question_about(
    fact: str, others: Sequence[str], classes: Sequence[str], looks: Sequence[Look]
) -> tuple[str, int] | None:
    """Choose a question about a fact, with the class of its answer; None for a sentence that is no fact.

    Of several questions the first is chosen that shares a word with another fact, as in the tasks themselves.
    """
    candidates = []
    for look in looks:
        match = look.pattern.fullmatch(fact)
        answering = {answer for _, answer in look.questions}
        for question, answer in look.questions if match else ():
            if match[answer] in classes:
                words = [match[name] for name in answering - {answer} if f"{{{name}}}" in question]
                shared = any(re.search(rf"\b{re.escape(word)}\b", other) for word in words for other in others)
                pair = (question.format(**match.groupdict()), list(classes).index(match[answer]))
                candidates.append((not shared, len(candidates), pair))
    return min(candidates)[2] if candidates else None
