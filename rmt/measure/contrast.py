"""The contrast of two recorded runs of one model: how answers, loss and memory differ. Numpy only."""

from dataclasses import dataclass

import numpy as np

from rmt.measure.run import answer_class, segment_loss
from rmt.trace import Trace


@dataclass(frozen=True)
class Beside:
    """What is answered about one of several in a run, and in what became of it; rows (S + 1,) over what both have.

    before, after: classes. truth: the right class of the second run by then, -1 where it is not known.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    truth: np.ndarray

    @property
    def apart(self) -> np.ndarray:
        """Moments at which the two answers differ, counted from 0, before the first segment."""
        return np.flatnonzero(self.before != self.after)

    @property
    def stays(self) -> bool:
        return not len(self.apart)


@dataclass(frozen=True)
class Contrast:
    """The differences of two runs of one model, over the segments that both have.

    classes: the answer of the first run, and the second one's if it differs. before, after (classes, S + 1): their
    probabilities in the first and in the second run if the question came before the first segment and after each; no
    rows where nothing was asked. apart (S + 1,): mean distance of the slots to those of the other run, relative to
    their length. loss (S,): mean loss of the second minus that of the first, NaN where nothing was scored. first: the
    first segment after which memory differs, None where none does. people: the answers about each person.
    """

    classes: tuple[str, ...]
    before: np.ndarray
    after: np.ndarray
    apart: np.ndarray
    loss: np.ndarray
    first: int | None
    people: tuple[Beside, ...] = ()


def contrast(one: Trace, other: Trace) -> Contrast:
    """Compare a run with another of the same memory, such as a what-if made of it."""
    n = min(one.done, other.done)
    answers = [answer for answer in map(_answer, (one, other)) if answer is not None]
    answers = list(dict.fromkeys(answers))
    asked = [np.asarray(run.arrays["asked"][: n + 1], np.float64).T[answers] for run in (one, other)]
    have_answers = bool(answers) and all(np.isfinite(rows).all() for rows in asked)
    a, b = (np.asarray(run.memory[: n + 1], np.float64) for run in (one, other))
    size = np.sqrt((a**2).sum(-1)).mean() if a.size else 1.0
    differ = np.flatnonzero([not np.array_equal(x, y) for x, y in zip(a, b, strict=True)])
    losses = [segment_loss(run, n) for run in (one, other)]
    return Contrast(
        classes=tuple(one.classes[answer] for answer in answers) if have_answers else (),
        before=asked[0] if have_answers else np.empty((0, n + 1)),
        after=asked[1] if have_answers else np.empty((0, n + 1)),
        apart=np.linalg.norm(a - b, axis=-1).mean(-1) / max(size, 1e-12) if a.size else np.zeros(n + 1),
        loss=losses[1] - losses[0],
        first=int(differ[0]) - 1 if len(differ) else None,
        people=beside(one, other),
    )


def beside(one: Trace, other: Trace) -> tuple[Beside, ...]:
    """What two runs of one model answer about each that can be asked for in both."""
    n = min(one.done, other.done) + 1
    names = [question["name"] for question in other.questions]
    found = []
    for i, question in enumerate(one.questions):
        if question["name"] in names:
            j = names.index(question["name"])
            before, after = (run.arrays["asked_each"][:n, k].argmax(-1) for run, k in ((one, i), (other, j)))
            found.append(Beside(question["name"], before, after, np.asarray(other.arrays["truths"][:n, j])))
    return tuple(found)


def _answer(run: Trace) -> int | None:
    return run.classes.index(run.answer) if run.classes and run.complete else answer_class(run)
