"""Batches of stories that go on: many long-lived texts read a few segments at a time, each asked several questions.

A row is a document (fresh, one segment or a few) or a stream (it goes on from step to step, and its memory is carried).
What a text has told when it is asked may stand in the asking segment, in front of the questions, as it does at the end
of a document of any length.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from tokenizers import Tokenizer

from rmt.tasks.babi import KINDS, NEVER, World
from rmt.tasks.base import Rng
from rmt.tasks.distractor import Distractor
from rmt.tasks.telling import Telling
from rmt.text.segments import IGNORE
from rmt.text.tokenizer import encode

ASKED = 9  # tokens that a question may need


@dataclass(frozen=True)
class Rung:
    """What is read at one stage of training.

    forms: how often facts and questions are short (two words), whole without a question mark, and whole.
    share: range of the share of sentences that are facts, drawn per text, log-uniformly; 1 leaves background out.
    facts: the most facts a document tells. life: the most segments of a document, the asking one included; of a
    stream, where `streams` of the rows are streams. unroll: segments read a step, before the asking one.
    """

    name: str
    kinds: tuple[str, ...] = ("qa1",)
    forms: tuple[float, float, float] = (0.0, 0.0, 1.0)
    share: tuple[float, float] = (1.0, 1.0)
    facts: int | None = None
    life: int = 1
    unroll: int = 0
    streams: float = 0.0
    lures: float = 0.0
    varied: bool = False  # whether moves are told in other words, too
    cut: float = 0.0  # share of longer documents whose first boundary cuts a fact
    goal: float = 0.93  # accuracy that opens the next rung
    steps: int | None = None  # or how many steps it takes


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


@dataclass
class Row:
    """A stream: its text, how many segments it has read, and after how many it ends."""

    text: Telling
    world: World
    life: int
    form: int
    kind: int
    old: int = 0


def without_mark(text: str) -> str:
    """The question without its mark."""
    return text.rstrip("?")


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
    earlier: float = 0.3  # share of documents of the three rungs before
    split: str = "train"
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
        now, B, T, Q = self.rungs[rung], self.rows, self.segment_length, self.n_questions  # noqa: N806
        U = now.unroll  # noqa: N806
        ids, begins = np.zeros((B, U, T), np.int64), np.zeros((B, U + 1), bool)
        ask, ends, labels = np.zeros((B, T), np.int64), np.zeros((B, Q), np.int64), np.full((B, Q), IGNORE)
        own, old, kind_of = np.zeros(B, bool), np.zeros(B, np.int64), np.zeros(B, np.int64)
        n_streams = round(B * now.streams)
        for b in range(B):
            if b < n_streams:
                row = self.streams.get(b)
                if row is None or row.old >= row.life:
                    life = int(np.exp(self.rng.uniform(np.log(U + 1), np.log(max(now.life, U + 1)))))
                    row = self.streams[b] = self._begin(now, life)
                    begins[b, 0] = True
                ids[b] = row.text.read(U * T).reshape(U, T)
                row.old += U
                old[b] = row.old
            else:
                kind = now
                own[b] = True
                if rung and self.rng.random() < self.earlier:
                    kind, own[b] = self.rungs[rung - 1 - int(self.rng.integers(min(rung, 3)))], False
                n = 1 + int(self.rng.integers(min(kind.life, U + 1)))
                if own[b] and self.rng.random() < 0.5 and not now.streams:
                    n = min(kind.life, U + 1)  # the longest is what the gate is about
                row = self._begin(kind, n)
                begins[b, U + 1 - n] = True
                if n > 1:
                    ids[b, U + 1 - n :] = row.text.read((n - 1) * T).reshape(n - 1, T)
            kind_of[b] = row.kind
            self._ask(row, ask[b], ends[b], labels[b])
        return Chunk(ids, begins, ask, ends, labels, own, old, kind_of, rung)

    def _begin(self, rung: Rung, life: int) -> Row:
        rng = self.rng
        form = int(rng.choice(3, p=rung.forms))
        kind = rung.kinds[int(rng.integers(len(rung.kinds)))]
        world = KINDS[kind].world(rng, short=form == 0, varied=form == 2 and rung.varied)
        cut = None
        if life > 1 and rng.random() < rung.cut:
            cut = self.segment_length - 1 - int(rng.integers(3 if form == 0 else 7))
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
            ids = self.encode(without_mark(question) if row.form == 1 else question)
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
