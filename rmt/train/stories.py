"""Batches of endless stories: many texts read a few segments at a time, each with several questions.

A row is a document (new, of one segment or a few) or a stream (it continues from step to step, and its memory is
carried). The last facts of a text may be in the asking segment, before the questions, as at the end of any document.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import count, takewhile

import numpy as np
from tokenizers import Tokenizer

from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.base import Rng
from rmt.tasks.distractor import Distractor, documents
from rmt.tasks.lures import lure
from rmt.tasks.open_words import OpenWords
from rmt.tasks.telling import Telling
from rmt.tasks.worlds import World
from rmt.text.segments import IGNORE
from rmt.text.tokenizer import encode
from rmt.train.rungs import Rung

ASKED, ASKED_SHORT = 9, 4  # tokens that a question takes at most, as a sentence and in its short form
EARLIER = 0.3  # share of documents that are of the three rungs before
GIVE_UP = 0.3  # probability that a lost stream is replaced
SHORT, NO_MARK, WHOLE = range(3)  # forms of a text


@dataclass(frozen=True)
class Chunk:
    """One step's texts: U segments of T tokens, then K asking segments of A tokens, with Q questions in all.

    T and A may differ from step to step. The asking segments of a row are read from one state: a single one, or one a
    question where questions are asked apart. ids (B, U, T); begins (B, U + 1): segments at which a row's text begins;
    ask (B K, A), row by row, padded at the end; ends (B K, Q / K): the last token of each question; labels (B, Q), -100
    for no question; own (B,): rows that are documents of the latest rung; old (B,): segments that a stream has read;
    kind (B,): index into KINDS; source (B,): the row whose carried memory a row goes on from, its own or a stream's;
    quiet (B, U): segments of a row's text that have no token of a fact.
    """

    ids: np.ndarray
    begins: np.ndarray
    ask: np.ndarray
    ends: np.ndarray
    labels: np.ndarray
    own: np.ndarray
    old: np.ndarray
    kind: np.ndarray
    source: np.ndarray
    quiet: np.ndarray
    rung: int = 0

    @classmethod
    def empty(cls, rows: int, unroll: int, lengths: tuple[int, int], questions: int, asking: int, rung: int) -> "Chunk":
        """Make a chunk whose rows are to be filled. lengths: T and A. asking: K, the asking segments of a row."""
        zeros = lambda *shape: np.zeros(shape, np.int64)  # noqa: E731
        return cls(
            ids=zeros(rows, unroll, lengths[0]),
            begins=np.zeros((rows, unroll + 1), bool),
            ask=zeros(rows * asking, lengths[1]),
            ends=zeros(rows * asking, questions // asking),
            labels=np.full((rows, questions), IGNORE),
            own=np.zeros(rows, bool),
            old=zeros(rows),
            kind=zeros(rows),
            source=np.arange(rows),
            quiet=np.zeros((rows, unroll), bool),
            rung=rung,
        )


@dataclass
class Row:
    """One row: its text, its world, its length in segments, its form, its kind, and the segments read so far."""

    text: Telling
    world: World
    life: int
    form: int
    kind: int
    old: int = 0


@dataclass
class StoryStreams:
    """`rows` texts read side by side. classes: names that labels index; rungs: the stages of training, in order.

    segment_length: tokens of the longest segments. shortest: of the shortest, where each step draws a length of its
    own, so that the memory does not depend on it; by default all are as long.
    """

    rungs: list[Rung]
    classes: tuple[str, ...]
    tokenizer: Tokenizer
    rows: int
    segment_length: int
    n_questions: int
    rng: Rng
    split: str = "train"
    shortest: int = 0
    lost: np.ndarray | None = None  # (rows,) streams with half of their latest answers wrong; set by the trainer
    at: int = 0
    streams: dict[int, Row] = field(default_factory=dict)

    def __post_init__(self):
        self.source = Distractor.load(self.tokenizer, self.split)
        # Most texts are facts and questions, which come again; background with a word put into it hardly does.
        self.encode = lru_cache(1 << 14)(lambda text: np.array(encode(self.tokenizer, text), dtype=np.int64))
        self.number = {name: i for i, name in enumerate(self.classes)}
        apart = any(KINDS[kind].world.alone for rung in self.rungs for kind in rung.kinds)
        self.asking = self.n_questions if apart else 1  # asking segments of a row
        self.tokens = self.room = self.segment_length  # tokens of this step's segments, and of its asking ones

    def chunk(self, rung: int) -> Chunk:
        """Make the next step's texts at this stage."""
        if rung != self.at:
            self.at, self.streams = rung, {}
        stage = self.rungs[rung]
        lengths = self._lengths(stage)
        self.tokens, self.room = self._draw_lengths(lengths)
        chunk = Chunk.empty(
            self.rows, stage.unroll, (self.tokens, self.segment_length), self.n_questions, self.asking, rung
        )
        asking = [*zip(np.split(chunk.ask, self.rows), np.split(chunk.ends, self.rows), chunk.labels, strict=True)]
        n_streams = round(self.rows * stage.streams)
        for b, parts in reversed([*enumerate(asking)]):  # documents first: some go on from where streams are now
            row = self._go_on(chunk, b) if b < n_streams else self._fork(chunk, b) or self._document(chunk, b)
            chunk.kind[b] = row.kind
            self._ask(row, *parts)
        enough = min(n for n in (*lengths, self.segment_length) if n > chunk.ends.max())
        return replace(chunk, ask=chunk.ask[:, :enough])

    def _lengths(self, stage: Rung) -> tuple[int, ...]:
        """The tokens that segments of this stage may have: each twice the length before, for a GPU compiles each."""
        most = min(self.segment_length, stage.tokens or self.segment_length)
        least = min(self.shortest or most, most)
        return *takewhile(lambda length: length < most, (least * 2**i for i in count())), most

    def _draw_lengths(self, lengths: tuple[int, ...]) -> tuple[int, int]:
        """Draw the tokens of a step's segments, and those of asking ones, which have room for all their questions."""
        at = int(self.rng.integers(len(lengths)))
        # A question may stand anywhere in a segment, so the asking one may be shorter; half of them are as long.
        asking = at if self.rng.random() < 0.5 else int(self.rng.integers(at + 1))
        return lengths[at], max(lengths[asking], ASKED * self.n_questions // self.asking)

    def _go_on(self, chunk: Chunk, b: int) -> Row:
        """Read the next segments of stream b; it is replaced where its life is over, and often where it is lost."""
        stage, U = self.rungs[self.at], chunk.ids.shape[1]  # noqa: N806
        row = self.streams.get(b)
        lost = self.lost is not None and bool(self.lost[b]) and self.rng.random() < GIVE_UP
        if row is None or lost or row.old >= row.life:
            row = self.streams[b] = self._begin(stage, U + 1 + int(self.rng.exponential(stage.life)))
            chunk.begins[b, 0] = True
        self._read(row.text, chunk, b, U)
        row.old += U
        chunk.old[b] = row.old
        return row

    def _fork(self, chunk: Chunk, b: int) -> Row | None:
        """Go on from where a stream is, in row b and in another way, where the rung says so and a stream can tell more.

        A stream tells a fact once in many steps. So it is told to many copies of a memory that has read for long.
        """
        stage, U = self.rungs[self.at], chunk.ids.shape[1]  # noqa: N806
        if self.rng.random() >= stage.forks:
            return None
        lost = np.zeros(self.rows, bool) if self.lost is None else np.asarray(self.lost)
        able = [s for s, row in self.streams.items() if row.text.limit != 0 and not lost[s]]
        if not able:
            return None
        chunk.source[b] = able[int(self.rng.integers(len(able)))]
        stream = self.streams[chunk.source[b]]
        row = replace(stream, text=stream.text.fork((0.05, max(0.05, stage.share[1])), self._cut(stage, stream.form)))
        row.world = row.text.world
        self._read(row.text, chunk, b, U)
        chunk.own[b] = True
        return row

    def _document(self, chunk: Chunk, b: int) -> Row:
        """Put a new document into the last segments of row b, of this rung or of one of the three before."""
        stage, U = self.rungs[self.at], chunk.ids.shape[1]  # noqa: N806
        rung, own = stage, True
        if self.at and self.rng.random() < EARLIER:
            rung, own = self.rungs[self.at - 1 - int(self.rng.integers(min(self.at, 3)))], False
        n = 1 + int(self.rng.integers(min(rung.life, U + 1)))
        if own and self.rng.random() < 0.5 and not stage.streams:
            n = min(rung.life, U + 1)  # half of the documents have the full length, the others any
        row = self._begin(rung, n)
        chunk.own[b], chunk.begins[b, U + 1 - n] = own, True
        self._read(row.text, chunk, b, n - 1)
        return row

    def _read(self, text: Telling, chunk: Chunk, b: int, n: int) -> None:
        """Read a text's next n segments into the last ones of row b."""
        first = chunk.ids.shape[1] - n
        ids, of_facts = text.read(n * self.tokens)
        chunk.ids[b, first:] = ids.reshape(n, self.tokens)
        chunk.quiet[b, first:] = ~of_facts.reshape(n, self.tokens).any(1)

    def _begin(self, rung: Rung, life: int) -> Row:
        rng = self.rng
        form = int(rng.choice(3, p=rung.forms))
        kind = rung.kinds[int(rng.integers(len(rung.kinds)))]
        world = KINDS[kind].world(
            rng, short=form == SHORT, varied=form == WHOLE and rung.varied, absent=rng.random() < rung.absent,
            lesson=rng.random() < rung.lesson, hard=rng.random() < rung.hard,
        )  # fmt: skip
        cut = self._cut(rung, form) if life > 1 else None
        pause = self.tokens * (1 + life // 2) if rng.random() < rung.wait else 0
        wait = int(rng.integers(pause)) if pause else 0
        text = Telling(
            self.source, world, self.encode, rng, share=rung.share,
            lures=rung.lures if rng.random() < 0.5 else 0.0, shuffled=rung.share[1] < 1 and rng.random() < 0.1,
            limit=None if rung.facts is None else int(rng.integers(rung.least, rung.facts + 1)), cut=cut, wait=wait,
            pause=pause, baits=rung.baits,
        )  # fmt: skip
        return Row(text, world, life, form, list(KINDS).index(kind))

    def _cut(self, rung: Rung, form: int) -> int | None:
        """Draw how many tokens stand before a fact that the first boundary is to cut; None where it is to cut none."""
        if self.rng.random() >= rung.cut:
            return None
        return self.tokens - 1 - int(self.rng.integers(3 if form == SHORT else 7))

    def _ask(self, row: Row, ask: np.ndarray, ends: np.ndarray, labels: np.ndarray) -> None:
        """Fill one row's asking segments: the last part of its text, then questions."""
        rng = self.rng
        # One question leaves room for text before it: asked several alone, a memory answered 95 % of what stood after a
        # segment's worth of background, and all of what was asked at once.
        n = len(labels) if rng.random() < 0.6 else 1
        room = self.room - (ASKED_SHORT if row.form == SHORT else ASKED) * min(n, ends.shape[1])
        lesson = row.life == 1 and row.text.dense
        text_ids = row.text.finish(room) if lesson else row.text.peek(room)
        ask[:, : len(text_ids)] = text_ids
        at = [len(text_ids)] * len(ask)
        for q, (question, answer) in enumerate(self._draw(row.world, n)):
            segment, place = divmod(q, ends.shape[1])
            ids = self.encode(question.rstrip("?") if row.form == NO_MARK else question)
            if at[segment] + len(ids) > ask.shape[1]:
                break
            ask[segment, at[segment] : at[segment] + len(ids)] = ids
            at[segment] += len(ids)
            ends[segment, place], labels[q] = at[segment] - 1, self.number[answer]

    def _draw(self, world: World, n: int) -> list[tuple[str, str]]:
        """Draw questions in random order, mostly about facts, few about what was never mentioned.

        With many of the latter a model learned only to answer NEVER whenever its segment has no fact. What the official
        files seldom ask is asked more often here: between as they do and evenly.
        """
        questions = world.questions()
        told = [pair for pair in questions if pair[1] != NEVER]
        never = [pair for pair in questions if pair[1] == NEVER]
        n_never = min(len(never), max(int(self.rng.binomial(n, self.rungs[self.at].never)), not told))
        turn = self.rng.exponential(size=len(told)) / np.sqrt(world.weights(told) or 1.0)
        drawn = [told[i] for i in np.argsort(turn)[: n - n_never]]
        drawn += [never[i] for i in self.rng.permutation(len(never))[:n_never]]
        return [drawn[i] for i in self.rng.permutation(len(drawn))]


def vocabulary_texts(rng: Rng, kinds: Sequence[str] = (), *, rounds: int = 1500) -> Iterator[str]:
    """Yield the texts that a tokenizer is trained on: addresses of the train split, and facts, questions and lures.

    The worlds of bAbI are equally frequent, so that each of their words becomes a token. kinds: the tasks of the run;
    the hundreds of open words are in its texts where it learns those.
    """
    yield from documents("train").values()
    worlds = {name: kind.world for name, kind in KINDS.items() if name != "open-words"}
    if "open-words" in kinds:
        yield from [" ".join(OpenWords.words)] * 200
    for _ in range(rounds):
        for made in worlds.values():
            world = made(rng)
            facts = [fact for _ in range(8) if (fact := world.tell())]
            yield " ".join([*facts, *(question for question, _ in world.questions()[:8]), lure(rng)])
