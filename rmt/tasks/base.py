"""The base of tasks: stories whose facts are hidden in distractor text, with a question at the end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from tokenizers import Tokenizer

from rmt.errors import InputError
from rmt.tasks.distractor import Distractor, Passage
from rmt.tasks.questions import Look
from rmt.text.tokenizer import encode

NAMES = ("Mary", "John", "Daniel", "Sandra")
ACTIONS = ("moved", "went", "went back", "journeyed", "travelled")
PLACES = ("bathroom", "hallway", "garden", "office", "bedroom", "kitchen")

Rng = np.random.Generator


@dataclass(frozen=True)
class Story:
    """A story: its facts in order, its question, and the class of the answer.

    answers: pairs (question, class of its answer): in answers[0] those before any fact is told, in answers[k] those
    whose answer is new with the k-th fact. Empty where a story does not know.
    """

    facts: tuple[str, ...]
    question: str
    answer: int
    answers: tuple[tuple[tuple[str, int], ...], ...] = ()

    def questions(self, told: int) -> dict[str, int]:
        """All questions that have an answer after `told` facts, and the class of each answer by then."""
        return dict(pair for new in self.answers[: told + 1] for pair in new)

    def about(self, fact: int) -> tuple[str, int] | None:
        """The question about a fact, counted from 0, and the class of its answer just after it; None without one."""
        new = self.answers[fact + 1] if self.answers else ()
        return new[0] if new else None


@dataclass(frozen=True)
class Span:
    """A span of tokens, start to end, of a document: a "fact", the "question", or the "answer" inside a fact."""

    kind: str
    start: int
    end: int


class Text:
    """Token ids of any length: distractor text with facts inserted at gaps, put together only where it is read."""

    def __init__(self, passage: Passage, put: list[tuple[int, np.ndarray]]):
        """put: what is inserted, (position in the passage, ids) in order."""
        self.parts: list[tuple[int, int] | np.ndarray] = []
        done = 0
        for at, ids in put:
            self.parts += [(done, at), ids]
            done = at
        self.passage = passage
        self.parts.append((done, len(passage)))
        self.ends = np.cumsum([p[1] - p[0] if isinstance(p, tuple) else len(p) for p in self.parts])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The ids (stop - start,), fewer past the end; by default all of them."""
        stop, begin, pieces = len(self) if stop is None else stop, 0, [np.zeros(0, np.int64)]
        for part, end in zip(self.parts, self.ends.tolist(), strict=True):
            if begin < stop and end > start:
                a, b = max(start - begin, 0), min(stop, end) - begin
                pieces += self.passage.read(part[0] + a, part[0] + b) if isinstance(part, tuple) else [part[a:b]]
            begin = end
        return np.concatenate(pieces)


@dataclass(frozen=True)
class Example:
    """A document of a task: its text, the class of the answer, and the spans of facts, answer and question."""

    text: Text
    label: int
    spans: tuple[Span, ...]
    story: Story

    @property
    def ids(self) -> np.ndarray:
        """All its tokens (n_tokens,)."""
        return self.text.read()


@dataclass(frozen=True)
class Task:
    """The record of a task, at the end of its file: how documents are made, and the words for pages.

    story(rng, **options) draws a story. lessons: options of easier stories to learn first, the hardest last.
    facts_first: facts open the document; otherwise each is at a sentence boundary drawn uniformly.
    filtered: whether distractor sentences with a name or a class in them are left out.
    An option `noise=False` leaves the distractor text out.

    title: its name on a page. keeps: what its models keep, where that is less than the name says. example: a text to
    start from, {noise} where distractor text goes. hint: what a model of it can do. knows: which other words the model
    knows. about: words of which a question must contain one; empty where any question will do. looks: the forms of its
    facts in a text. asks: (name, question) of what can be asked at any moment, in the order of the rows.
    """

    name: str
    classes: tuple[str, ...]
    story: Callable[..., Story]
    facts_first: bool = False
    filtered: bool = True
    lessons: tuple[dict, ...] = field(default=())
    title: str = ""
    keeps: str = ""
    example: str = "{noise}"
    hint: str = ""
    knows: str = ""
    about: tuple[str, ...] = ()
    looks: tuple[Look, ...] = ()
    asks: tuple[tuple[str, str], ...] = ()


class Sampler:
    """An endless source of examples of a task; the same rng gives the same example.

    split: "train" or "eval", whose distractor text comes from different documents.
    """

    def __init__(self, task: Task, tokenizer: Tokenizer, split: str):
        self.task, self.tokenizer = task, tokenizer
        words = frozenset(word.lower() for word in (*NAMES, *task.classes))
        self.distractor = Distractor.load(tokenizer, split, words if task.filtered else frozenset())
        self._encode = cache(lambda text: np.array(encode(tokenizer, text), dtype=np.int64))

    def example(self, rng: Rng, n_tokens: int, *, noise: bool = True, **options) -> Example:
        """Make one document of n_tokens that ends in its question; without noise, of facts and question alone."""
        story = self.task.story(rng, **options)
        question = self._encode(story.question)
        text, spans = self.text(rng, story, n_tokens - len(question), noise=noise, then=question)
        spans = (*spans, Span("question", len(text) - len(question), len(text)))
        return Example(text, story.answer, spans, story)

    def tell(self, rng: Rng, story: Story, n_tokens: int) -> tuple[np.ndarray, tuple[Span, ...]]:
        """Hide a story's facts in distractor text: ids (n_tokens,) and spans. Raises InputError if they do not fit."""
        text, spans = self.text(rng, story, n_tokens)
        return text.read(), spans

    def text(self, rng: Rng, story: Story, n_tokens: int, *, noise=True, then=None) -> tuple[Text, tuple[Span, ...]]:
        """Hide a story's facts as `tell` does, in a `Text` to read later; then: ids to append after the n_tokens."""
        facts = [self._encode(fact) for fact in story.facts]
        room = n_tokens - sum(map(len, facts)) if noise else 0
        if room < 0:
            raise InputError(f"{n_tokens} tokens are too few for this story; give longer or more segments.")
        passage = self.distractor.sample(rng, room)
        at, spans, told = [0] * len(facts), [], 0
        if not self.task.facts_first:
            at = [passage.gap(k) for k in sorted(rng.integers(passage.n_gaps, size=len(facts)).tolist())]
        for fact, gap in zip(facts, at, strict=True):
            start, told = gap + told, told + len(fact)
            spans += [Span("fact", start, start + len(fact)), *self._answer(fact, story, start)]
        put = list(zip(at, facts, strict=True))
        return Text(passage, put if then is None else [*put, (len(passage), then)]), tuple(spans)

    def filler(self, rng: Rng, n_tokens: int) -> np.ndarray:
        """Draw distractor text alone: ids (n_tokens,)."""
        return Text(self.distractor.sample(rng, n_tokens), []).read()

    def question(self, story: Story) -> np.ndarray:
        """The ids of a story's question."""
        return self._encode(story.question)

    def batch(self, rng: Rng, size: int, n_tokens: int, **options) -> tuple[np.ndarray, np.ndarray]:
        """Make a batch of examples: ids (size, n_tokens) and labels (size,)."""
        examples = [self.example(rng, n_tokens, **options) for _ in range(size)]
        return np.stack([e.ids for e in examples]), np.array([e.label for e in examples])

    def _answer(self, fact: np.ndarray, story: Story, start: int) -> list[Span]:
        """The span of the answer's word in a fact that starts at `start`; none where it is not in it."""
        word = self._encode(self.task.classes[story.answer])
        for i in range(len(fact) - len(word) + 1):
            if (fact[i : i + len(word)] == word).all():
                return [Span("answer", int(start + i), int(start + i + len(word)))]
        return []
