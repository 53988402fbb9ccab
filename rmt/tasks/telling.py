"""An endless text: sentences of distractor text with the facts of a world among them, read in pieces of any length."""

import re
from collections.abc import Callable
from copy import copy, deepcopy

import numpy as np

from rmt.tasks.base import Rng
from rmt.tasks.distractor import Distractor
from rmt.tasks.lures import lure
from rmt.tasks.worlds import World, pick

LONGEST = 14  # tokens that a fact takes at most
CHANGE = 0.03  # probability, per sentence, that a new share of facts is drawn
JUMP = 0.01  # probability, per sentence, that the background continues at another place
PAUSES = 0.5  # probability that a pause follows a fact
BAITED = 0.5  # where there are baits, probability that one stands at a boundary that is to cut a fact
SURNAMED = 0.4  # share of words put into background that are a name with a surname, "Daniel Webster", as in no fact
NOTHING = np.zeros((2, 0), np.int64)


class Telling:
    """An endless text of background and facts, whose sentences are made as they are read.

    encode: text -> ids. share: range of the share of sentences that are facts; it is drawn again now and then,
    log-uniformly, so that some stretches have many facts and others few. lures: share of the other sentences that look
    like facts. shuffled: whether the tokens of a background sentence are in random order. limit: facts in all.
    cut: tokens before the first fact, where given, so that a segment boundary can fall into the fact. wait: tokens of
    background before facts are told at all, or after that one. pause: the most tokens of background alone that come
    after some of the facts. baits: share of background sentences with a word of the world: half of them have it, "west
    of the Mississippi", and half are given it in place of another, so that there are endlessly many.
    """

    def __init__(
        self, source: Distractor, world: World, encode: Callable[[str], np.ndarray], rng: Rng, *,
        share: tuple[float, float], lures: float = 0.0, shuffled: bool = False, limit: int | None = None,
        cut: int | None = None, wait: int = 0, pause: int = 0,
        baits: float = 0.0,
    ):  # fmt: skip
        self.source, self.world, self.encode, self.rng = source, world, encode, rng
        self.log_share, self.lures, self.shuffled, self.limit = np.log(share), lures, shuffled, limit
        self.wait, self.pause, self.baits = wait, pause, baits
        self.share = self._draw_share()
        self.dense = share[0] == 1  # whether there are facts alone
        self.sentence = int(rng.integers(len(source.starts)))  # index of the next background sentence
        self.waiting: list[np.ndarray] = []  # ids that are made and not read yet, and which are of facts: (2, n) each
        self.length = 0  # their number
        if cut is not None:
            self._begin_cut(cut)

    def fork(self, share: tuple[float, float], cut: int | None = None) -> "Telling":
        """Another text that has told what this one has and goes on in its own way, with this range of the share.

        cut: tokens before its first fact, where given and where no fact of this text is still to be read.
        """
        other = copy(self)
        other.world = deepcopy(self.world, {id(self.world.rng): self.rng})
        other.log_share, other.wait, other.pause, other.waiting = np.log(share), 0, 0, list(self.waiting)
        other.share = other._draw_share()
        if cut is not None and not self._made()[1].any():
            other._begin_cut(cut)
        return other

    def read(self, n_tokens: int) -> tuple[np.ndarray, np.ndarray]:
        """Read the next tokens: ids (n_tokens,), and which of them are of facts (n_tokens,)."""
        while self.length < n_tokens:
            self._add_sentence()
        made = self._made()
        self.waiting, self.length = [made[:, n_tokens:]], self.length - n_tokens
        return made[0, :n_tokens], made[1, :n_tokens].astype(bool)

    def peek(self, room: int) -> np.ndarray:
        """Return some of the next tokens, at most `room`, without a part of a fact; they stay unread."""
        wanted = int(self.rng.integers(room + 1))
        while self.length < wanted and self.length + LONGEST <= room:
            self._add_sentence()
        ids, of_facts = self._made()
        told = np.flatnonzero(of_facts)[-1] + 1 if of_facts.any() else 0
        return ids[: max(told, wanted)]

    def finish(self, room: int) -> np.ndarray:
        """Return facts alone, up to the limit or as many as fit into `room` tokens: a lesson of one segment."""
        while self.length + LONGEST <= room and self._tell():
            pass
        return self._made()[0]

    def _made(self) -> np.ndarray:
        return np.concatenate([*self.waiting, NOTHING], axis=1)

    def _draw_share(self) -> float:
        low, high = self.log_share
        return float(np.exp(low + self.rng.random() * (high - low)))

    def _add_sentence(self) -> None:
        """Add a fact, a lure or a sentence of background."""
        if self.rng.random() < CHANGE:
            self.share = self._draw_share()
        if self.wait <= 0 and self.rng.random() < self.share and self._tell():
            return
        if self.lures and self.rng.random() < self.lures:
            self._put(self.encode(lure(self.rng)))
        else:
            self._put(self._background())
        self.wait -= self.waiting[-1].shape[1]

    def _tell(self) -> bool:
        """Add the world's next fact; whether there was one."""
        if self.limit == 0 or (fact := self.world.tell()) is None:
            return False
        self.limit = None if self.limit is None else self.limit - 1
        self._put(self.encode(fact), of_fact=True)
        if self.pause and self.rng.random() < PAUSES:
            self.wait = int(self.rng.integers(self.pause))
        return True

    def _put(self, ids: np.ndarray, *, of_fact: bool = False) -> None:
        self.waiting.append(np.stack([ids, np.full(len(ids), of_fact)]))
        self.length += len(ids)

    def _begin_cut(self, n_tokens: int) -> None:
        """Begin with so many tokens of background, then a fact, or a bait, of which a boundary leaves "Mary" alone."""
        self._begin_with_background(n_tokens)
        if not (self.baits and self.rng.random() < BAITED):
            self._tell()
            return
        text, at = self._planted(surnamed=True) if self.rng.random() < 0.5 else self._bait()
        first = max(0, len(self.encode(text[:at])) - int(self.rng.integers(7)))  # tokens before the word are a few
        self._put(self.encode(text)[first:])

    def _begin_with_background(self, n_tokens: int) -> None:
        self.waiting, self.length = [], 0
        while self.length < n_tokens:
            self._put(self._background())
        self.waiting, self.length = [self._made()[:, :n_tokens]], n_tokens

    def _background(self) -> np.ndarray:
        """The ids of the next sentence of background."""
        if self.baits and self.rng.random() < self.baits:
            return self.encode(self._bait()[0])
        starts, i = self.source.starts, self.sentence
        last = i + 1 == len(starts)
        ids = self.source.ids[starts[i] : None if last else starts[i + 1]]
        goes_on = not last and self.rng.random() < 1 - JUMP
        self.sentence = i + 1 if goes_on else int(self.rng.integers(len(starts)))
        return self.rng.permutation(ids) if self.shuffled else ids

    def _bait(self) -> tuple[str, int]:
        """A sentence of background with a word of the world, and where in it the word is."""
        kinds = self.source.mentioning(self.world.words)
        if not kinds or self.rng.random() < 0.5:
            return self._planted(surnamed=self.rng.random() < SURNAMED)
        word, numbers = pick(self.rng, list(kinds.items()))
        text = self.source.sentences[int(self.rng.choice(numbers))]
        return text, re.search(rf"\b{re.escape(word)}", text, re.IGNORECASE).start()

    def _planted(self, *, surnamed: bool) -> tuple[str, int]:
        """A sentence of background with a word of the world put into it, and where; or with a name and a surname."""
        surnames = self.source.capitalized if surnamed else []
        names = [word for word in self.world.words if surnames and word[0].isupper()]
        number, word = int(self.rng.integers(len(self.source.starts))), pick(self.rng, names or self.world.words)
        if names:
            word = f"{word} {pick(self.rng, surnames)}"
        return self.source.planted(self.rng, number, word)
