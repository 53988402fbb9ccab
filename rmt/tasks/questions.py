"""How facts look in a text, and the questions that each answers: for texts that nobody made from a story."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

NEVER = "never mentioned"  # the class of a question about what no text told of


@dataclass(frozen=True)
class Look:
    """One form of fact: a pattern with named groups, and its questions.

    questions: (what is asked, in which {group} stands for what the pattern found, and the group that answers it).
    """

    pattern: re.Pattern
    questions: tuple[tuple[str, str], ...]


def question_about(
    fact: str, others: Sequence[str], classes: Sequence[str], looks: Sequence[Look]
) -> tuple[str, int] | None:
    """What to ask about a fact, and the class of its answer; None for a sentence that tells none.

    A fact can answer several questions: the first is chosen of which another fact names a word, too, as tasks do.
    """
    found = []
    for look in looks:
        match = look.pattern.fullmatch(fact)
        answering = {answer for _, answer in look.questions}
        for question, answer in look.questions if match else ():
            if match[answer] in classes:
                words = [match[name] for name in answering - {answer} if f"{{{name}}}" in question]
                shared = any(re.search(rf"\b{re.escape(word)}\b", other) for word in words for other in others)
                told = (question.format(**match.groupdict()), list(classes).index(match[answer]))
                found.append((not shared, len(found), told))
    return min(found)[2] if found else None
