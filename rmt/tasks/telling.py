"""A text without end: sentences of background as they are, and among them the facts of a world, cut anywhere."""

from collections.abc import Callable

import numpy as np

from rmt.tasks.base import Rng
from rmt.tasks.distractor import Distractor
from rmt.tasks.lures import lure
from rmt.tasks.worlds import World

LONGEST = 14  # tokens that a fact may need
CHANGE = 0.03  # how often, per sentence, the share of facts is drawn anew
JUMP = 0.01  # how often, per sentence, the background goes on in another place
NOTHING = np.zeros(0, np.int64)


class Telling:
    """Tokens of background and facts in order; each is made when it is read.

    encode: text -> ids. share: how many of its sentences are facts, from least to most; now and then it is drawn anew,
    log-uniformly, so that much is told in some stretches and little in others. lures: how many of the others look like
    facts. shuffled: whether the words of a background sentence stand in random order. limit: facts in all.
    cut: tokens before the first fact, where given; so a segment's end can be made to fall into it.
    """

    def __init__(
        self, source: Distractor, world: World, encode: Callable[[str], np.ndarray], rng: Rng, *,
        share: tuple[float, float], lures: float = 0.0, shuffled: bool = False, limit: int | None = None,
        cut: int | None = None,
    ):  # fmt: skip
        self.source, self.world, self.encode, self.rng = source, world, encode, rng
        self.log_share, self.lures, self.shuffled, self.limit = np.log(share), lures, shuffled, limit
        self.share = self._draw_share()
        self.dense = share[0] == 1  # nothing but facts
        self.sentence = int(rng.integers(len(source.starts)))  # the background's next one
        self.waiting: list[np.ndarray] = []  # made and not yet read
        self.length = 0  # tokens that wait
        self.told = 0  # tokens that wait, up to the end of the last fact
        if cut is not None:
            self._begin_with_background(cut)
            self._tell()

    def read(self, n_tokens: int) -> np.ndarray:
        """The next tokens (n_tokens,)."""
        while self.length < n_tokens:
            self._add_sentence()
        ids = self._made()
        self.waiting, self.length = [ids[n_tokens:]], self.length - n_tokens
        self.told = max(0, self.told - n_tokens)
        return ids[:n_tokens]

    def peek(self, room: int) -> np.ndarray:
        """Some of the tokens that come next, at most `room`, so that no fact is told in part; they stay unread."""
        wanted = int(self.rng.integers(room + 1))
        while self.length < wanted and self.length + LONGEST <= room:
            self._add_sentence()
        ids = self._made()
        return ids[: max(self.told, min(wanted, len(ids)))]

    def finish(self, room: int) -> np.ndarray:
        """Facts and nothing else, up to the limit or as many as there is room for: a lesson of one segment."""
        while self.length + LONGEST <= room and self._tell():
            pass
        return self._made()

    def _made(self) -> np.ndarray:
        return np.concatenate([*self.waiting, NOTHING])

    def _draw_share(self) -> float:
        low, high = self.log_share
        return float(np.exp(low + self.rng.random() * (high - low)))

    def _add_sentence(self) -> None:
        """A fact, a lure or a sentence of background."""
        if self.rng.random() < CHANGE:
            self.share = self._draw_share()
        if self.rng.random() < self.share and self._tell():
            return
        if self.lures and self.rng.random() < self.lures:
            self._put(self.encode(lure(self.rng)))
        else:
            self._put(self._background())

    def _tell(self) -> bool:
        """Whether there was another fact to tell."""
        if self.limit == 0 or (fact := self.world.tell()) is None:
            return False
        self.limit = None if self.limit is None else self.limit - 1
        self._put(self.encode(fact))
        self.told = self.length
        return True

    def _put(self, ids: np.ndarray) -> None:
        self.waiting.append(ids)
        self.length += len(ids)

    def _begin_with_background(self, n_tokens: int) -> None:
        while self.length < n_tokens:
            self._put(self._background())
        self.waiting, self.length = [self._made()[:n_tokens]], n_tokens

    def _background(self) -> np.ndarray:
        """The next sentence of background."""
        starts, i = self.source.starts, self.sentence
        last = i + 1 == len(starts)
        ids = self.source.ids[starts[i] : None if last else starts[i + 1]]
        goes_on = not last and self.rng.random() < 1 - JUMP
        self.sentence = i + 1 if goes_on else int(self.rng.integers(len(starts)))
        return self.rng.permutation(ids) if self.shuffled else ids
