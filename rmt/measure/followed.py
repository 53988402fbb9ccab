"""What a run answers about each of those that can be asked for, segment by segment, held against what is right by then.

Numpy only. Letters as in `rmt.trace`: S segments, Q questions, C classes.
"""

from dataclasses import dataclass

import numpy as np

from rmt.measure.beats import Beat, Series, Turns, find_turns
from rmt.trace import Trace

NEVER = "never mentioned"


@dataclass(frozen=True)
class Followed:
    """One question, put to every state of a run: before the first segment and after each, all (S + 1,).

    name: whom or what it is about. answer: the most probable class, and p its probability. truth: the right class by
    then, -1 where it is not known, and knows its probability, nan there. told: whether the text has told of it by then.
    """

    name: str
    question: str
    answer: np.ndarray
    p: np.ndarray
    truth: np.ndarray
    knows: np.ndarray
    told: np.ndarray
    beats: tuple[Beat, ...] = ()

    @property
    def right(self) -> np.ndarray:
        """(S + 1,): 1 where the answer is right, 0 where it is wrong, nan where the right one is not known."""
        return np.where(self.truth < 0, np.nan, self.answer == self.truth)

    def score(self) -> tuple[int, int]:
        """After how many segments the answer is right, of those after which the text had told of it."""
        asked = self.told[1:] & (self.truth[1:] >= 0)
        return int((self.answer[1:] == self.truth[1:])[asked].sum()), int(asked.sum())


def follow(trace: Trace, series: Series, own: str) -> tuple[Followed, ...]:
    """Each question that was put to every state of a run. own: the question with which its text ends.

    series: what else beats are found in; its `known` is not looked at.
    """
    if not trace.questions:
        return ()
    moments = trace.done + 1
    shares = np.asarray(trace.arrays["asked_each"][:moments])  # (S + 1, Q, C)
    truths = np.asarray(trace.arrays["truths"][:moments])
    if not np.isfinite(shares).all():  # a run that is not finished was not asked yet
        return ()
    answers, never = shares.argmax(-1), trace.classes.index(NEVER) if NEVER in trace.classes else -1
    turned = (np.diff(answers, axis=0) != 0).sum(1)  # (S,): how many answers a segment turned
    found = []
    for q, question in enumerate(trace.questions):
        answer, truth = answers[:, q], truths[:, q]
        known = np.take_along_axis(shares[:, q], np.maximum(truth, 0)[:, None], 1)[:, 0]
        turns = Turns(shares[:, q], turned == len(trace.questions), question["text"] == own)
        found.append(
            Followed(
                name=question["name"],
                question=question["text"],
                answer=answer,
                p=shares[:, q].max(-1),
                truth=truth,
                knows=np.where(truth < 0, np.nan, known).astype(np.float32),
                told=(truth != never) if never >= 0 else np.ones(moments, bool),
                beats=find_turns(series, turns),
            )
        )
    return tuple(found)
