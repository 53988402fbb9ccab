"""What can be asked of a text at any moment, and the right answer by then: of a story, or of a text as it stands."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rmt.tasks.babi_words import NEVER
from rmt.tasks.base import Span, Story, Task
from rmt.tasks.spans import SENTENCE

CAST = 10  # of a larger cast not everybody is asked about


@dataclass(frozen=True)
class Asking:
    """A question that is put to every state of a run.

    name: whom or what it is about. answers: (tokens read, class) in order: once so many tokens are read, that class is
    the right answer, None where the right one is not known.
    """

    name: str
    text: str
    answers: tuple[tuple[int, int | None], ...] = ()

    def truths(self, starts: np.ndarray) -> np.ndarray:
        """The right class at each moment, when starts (S + 1,) tokens are read; -1 where it is not known: (S + 1,)."""
        read = np.array([tokens for tokens, _ in self.answers], np.int64)
        classes = np.array([-1, *(-1 if answer is None else answer for _, answer in self.answers)], np.int32)
        return classes[np.searchsorted(read, starts, side="right")]


def of_story(task: Task, story: Story, spans: Sequence[Span]) -> tuple[Asking, ...]:
    """What a task offers to ask, with what its story says of each; nothing where a story does not say.

    spans: where the story's facts stand in the text, in their order.
    """
    ends = [0, *(span.end for span in spans if span.kind == "fact")]
    if not story.answers:
        return ()
    news = [(end, dict(answers)) for end, answers in zip(ends, story.answers, strict=True)]
    first = {0: task.classes.index(NEVER)} if NEVER in task.classes else {}
    told = {question: {end: new[question] for end, new in news if question in new} for _, question in task.asks}
    return _of_cast(Asking(name, question, tuple((first | told[question]).items())) for name, question in task.asks)


def of_text(
    task: Task, text: bytes, ends: np.ndarray, within: Sequence[tuple[int, int]] | None = None
) -> tuple[Asking, ...]:
    """What a task offers to ask, with what a text says of each as far as its sentences look like facts.

    ends: where each token ends in the text, in bytes. within: tokens from start to end in whose sentences facts stand;
    all sentences by default. A sentence that names somebody and looks like no fact about them may say anything: from
    there on the right answer is unknown. A whole sentence that is a fact changes no more than what it answers.
    """
    plain = text.decode("latin-1")  # a byte a character
    parts = [match.span() for match in SENTENCE.finditer(plain)]
    if within is not None:
        known = [(int(ends[start - 1]) if start else 0, int(ends[end - 1])) for start, end in within]
        parts = [(a, b) for a, b in parts if any(a < end and b > start for start, end in known)]
    sentences = [(plain[start:end].rstrip(), start) for start, end in parts]
    told = [(s, int(np.searchsorted(ends, start + len(s))) + 1) for s, start in sentences if s and s[-1] != "?"]
    return _of_cast(Asking(name, question, tuple(_answers(task, told, name, question))) for name, question in task.asks)


def _of_cast(asked: Iterable[Asking]) -> tuple[Asking, ...]:
    """Who is asked about: everybody of a small cast; of a larger one those of whom the text tells, as it names them."""
    asked = tuple(asked)
    if len(asked) <= CAST:
        return asked
    told = {one: [read for read, answer in one.answers if answer not in (None, one.answers[0][1])] for one in asked}
    return tuple(sorted((one for one in asked if told[one]), key=lambda one: told[one][0]))


def _answers(
    task: Task, sentences: Sequence[tuple[str, int]], name: str, question: str
) -> Iterator[tuple[int, int | None]]:
    """(tokens read, class) of each sentence that names somebody, the state of before any first."""
    classes = {word: i for i, word in enumerate(task.classes)}
    yield 0, classes.get(NEVER)
    for sentence, read in sentences:
        if not re.search(rf"\b{re.escape(name.split()[-1])}\b", sentence):  # "garden" of "north of the garden"
            continue
        answers = [
            classes.get(match[group])
            for look in task.looks
            for match in look.pattern.finditer(sentence)
            for form, group in look.questions
            if form.format(**match.groupdict()) == question
        ]
        if answers or not any(look.pattern.fullmatch(sentence.strip()) for look in task.looks):
            yield read, answers[-1] if answers else None
