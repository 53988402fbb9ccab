"""Batches of stories that go on: many long-lived texts read a few segments at a time, each asked several questions.

A row is a document (fresh, one segment or a few) or a stream (it goes on from step to step, and its memory is carried).
What a text has told when it is asked may stand in the asking segment, in front of the questions, as it does at the end
of a document of any length.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from tokenizers import Tokenizer

from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.base import Rng
from rmt.tasks.distractor import Distractor, documents
from rmt.tasks.lures import lure
from rmt.tasks.telling import Telling
from rmt.tasks.worlds import World
from rmt.text.segments import IGNORE
from rmt.text.tokenizer import encode
from rmt.train.rungs import Rung

ASKED = 9  # tokens that a question may need
EARLIER = 0.3  # share of documents that are of the three rungs before
GIVE_UP = 0.3  # how often a stream that is lost begins anew
SHORT, NO_MARK, WHOLE = range(3)  # forms of a text


@dataclass(frozen=True)
class Chunk:
    """One step's texts: U segments of T tokens, then an asking segment of A tokens with Q questions.

    ids (B, U, T); begins (B, U + 1): where a row begins anew; ask (B, A), padded behind; ends (B, Q): the last token of
    each question; labels (B, Q), -100 for no question; own (B,): rows of the latest rung that are documents;
    old (B,): segments a stream has read; kind (B,): which of KINDS it is.
    """

    ids: np.ndarray
    begins: np.ndarray
    ask: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    own: np.ndarray
    old: np.ndarray
    kind: np.ndarray
    rung: int = 0

    @classmethod
    def empty(cls, rows: int, unroll: int, segment_length: int, questions: int, rung: int) -> "Chunk":
        """A chunk whose rows are still to be filled."""
        zeros = lambda *shape: np.zeros(shape, np.int64)  # noqa: E731
        return cls(
            ids=zeros(rows, unroll, segment_length),
            begins=np.zeros((rows, unroll + 1), bool),
            ask=zeros(rows, segment_length),
            ends=zeros(rows, questions),
            labels=np.full((rows, questions), IGNORE),
            own=np.zeros(rows, bool),
            old=zeros(rows),
            kind=zeros(rows),
            rung=rung,
        )


@dataclass
class Row:
    """A text, its world, after how many segments it ends, its form, its kind, and how many segments have been read."""

    text: Telling
    world: World
    life: int
    form: int
    kind: int
    old: int = 0


@dataclass
class StoryStreams:
    """`rows` texts side by side. classes: what labels count in; rungs: the stages of training, in order."""

    rungs: list[Rung]
    classes: tuple[str, ...]
    tokenizer: Tokenizer
    rows: int
    segment_length: int
    n_questions: int
    rng: Rng
    split: str = "train"
    lost: np.ndarray | None = None  # (rows,) streams that answered half of their latest questions wrong, kept outside
    at: int = 0
    streams: dict[int, Row] = field(default_factory=dict)

    def __post_init__(self):
        self.source = Distractor.load(self.tokenizer, self.split)
        self.encode = cache(lambda text: np.array(encode(self.tokenizer, text), dtype=np.int64))
        self.number = {name: i for i, name in enumerate(self.classes)}

    def chunk(self, rung: int) -> Chunk:
        """The next step's texts at this stage."""
        if rung != self.at:
            self.at, self.streams = rung, {}
        now = self.rungs[rung]
        chunk = Chunk.empty(self.rows, now.unroll, self.segment_length, self.n_questions, rung)
        n_streams = round(self.rows * now.streams)
        for b in range(self.rows):
            row = self._go_on(chunk, b) if b < n_streams else self._document(chunk, b)
            chunk.kind[b] = row.kind
            self._ask(row, chunk.ask[b], chunk.ends[b], chunk.labels[b])
        return chunk

    def _go_on(self, chunk: Chunk, b: int) -> Row:
        """The next segments of stream b, which begins anew where its life is over, and often where it is lost."""
        now, U = self.rungs[self.at], chunk.ids.shape[1]  # noqa: N806
        row = self.streams.get(b)
        lost = self.lost is not None and bool(self.lost[b]) and self.rng.random() < GIVE_UP
        if row is None or lost or row.old >= row.life:
            row = self.streams[b] = self._begin(now, U + 1 + int(self.rng.exponential(now.life)))
            chunk.begins[b, 0] = True
        chunk.ids[b] = row.text.read(U * self.segment_length).reshape(U, -1)
        row.old += U
        chunk.old[b] = row.old
        return row

    def _document(self, chunk: Chunk, b: int) -> Row:
        """A fresh document in the last segments of row b, of this rung or of one of the three before."""
        now, U = self.rungs[self.at], chunk.ids.shape[1]  # noqa: N806
        rung, own = now, True
        if self.at and self.rng.random() < EARLIER:
            rung, own = self.rungs[self.at - 1 - int(self.rng.integers(min(self.at, 3)))], False
        n = 1 + int(self.rng.integers(min(rung.life, U + 1)))
        if own and self.rng.random() < 0.5 and not now.streams:
            n = min(rung.life, U + 1)  # the next rung opens on documents of all lengths, half of them the longest
        row = self._begin(rung, n)
        chunk.own[b], chunk.begins[b, U + 1 - n] = own, True
        if n > 1:
            chunk.ids[b, U + 1 - n :] = row.text.read((n - 1) * self.segment_length).reshape(n - 1, -1)
        return row

    def _begin(self, rung: Rung, life: int) -> Row:
        rng = self.rng
        form = int(rng.choice(3, p=rung.forms))
        kind = rung.kinds[int(rng.integers(len(rung.kinds)))]
        world = KINDS[kind].world(rng, short=form == SHORT, varied=form == WHOLE and rung.varied)
        cut = None
        if life > 1 and rng.random() < rung.cut:
            cut = self.segment_length - 1 - int(rng.integers(3 if form == SHORT else 7))
        text = Telling(
            self.source, world, self.encode, rng, share=rung.share,
            lures=rung.lures if rng.random() < 0.5 else 0.0, shuffled=rung.share[1] < 1 and rng.random() < 0.1,
            limit=None if rung.facts is None else 1 + int(rng.integers(rung.facts)), cut=cut,
        )  # fmt: skip
        return Row(text, world, life, form, list(KINDS).index(kind))

    def _ask(self, row: Row, ask: np.ndarray, ends: np.ndarray, labels: np.ndarray) -> None:
        """Fill one row's asking segment."""
        rng, T = self.rng, self.segment_length  # noqa: N806
        n = len(labels) if rng.random() < 0.7 else 1 + int(rng.integers(len(labels)))
        room = T - ASKED * n
        lesson = row.life == 1 and row.text.dense
        told = row.text.finish(room) if lesson else row.text.peek(room)
        at = len(told)
        ask[:at] = told
        for q, (question, answer) in enumerate(self._draw(row.world, n)):
            ids = self.encode(question.rstrip("?") if row.form == NO_MARK else question)
            if at + len(ids) > T:
                break
            ask[at : at + len(ids)] = ids
            at += len(ids)
            ends[q], labels[q] = at - 1, self.number[answer]

    def _draw(self, world: World, n: int) -> list[tuple[str, str]]:
        """Questions in random order: mostly about what was told, few about what never was.

        With many of those a memory learned to say so whenever its segment told nothing, and nothing else.
        """
        asked = world.questions()
        told = [pair for pair in asked if pair[1] != NEVER]
        never = [pair for pair in asked if pair[1] == NEVER]
        n_never = min(len(never), max(int(self.rng.binomial(n, 0.15)), not told))
        drawn = [told[i] for i in self.rng.permutation(len(told))[: n - n_never]]
        drawn += [never[i] for i in self.rng.permutation(len(never))[:n_never]]
        return [drawn[i] for i in self.rng.permutation(len(drawn))]


def vocabulary_texts(rng: Rng, *, rounds: int = 1500) -> Iterator[str]:
    """What a story trainer's tokenizer learns from: the addresses of the train split, and facts, questions and lures.

    Of every kind of world there are as many, so that each of their words becomes a token.
    """
    yield from documents("train").values()
    for _ in range(rounds):
        for kind in KINDS.values():
            world = kind.world(rng)
            facts = [fact for _ in range(8) if (fact := world.tell())]
            yield " ".join([*facts, *(question for question, _ in world.questions()[:8]), lure(rng)])
