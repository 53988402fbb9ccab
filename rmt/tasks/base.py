"""What a task is: stories whose facts are hidden in distractor text, with a question at the end."""

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
    """Facts in the order they are told, the question, and the class of its answer.

    answers: what can be asked, as (question, class of its answer): answers[0] before any fact is told, and answers[k]
    what the k-th fact answers that had no answer or another one before it. Empty where a story does not say.
    """

    facts: tuple[str, ...]
    question: str
    answer: int
    answers: tuple[tuple[tuple[str, int], ...], ...] = ()

    def questions(self, told: int) -> dict[str, int]:
        """Everything that can be asked once `told` facts are told, and the class of each answer by then."""
        return dict(pair for new in self.answers[: told + 1] for pair in new)

    def about(self, fact: int) -> tuple[str, int] | None:
        """What is asked about one of its facts, counted from 0, and the class of the answer when it has been told."""
        new = self.answers[fact + 1] if self.answers else ()
        return new[0] if new else None


@dataclass(frozen=True)
class Span:
    """Tokens start to end of a document: a "fact", the "question", or the "answer" as a fact gives it."""

    kind: str
    start: int
    end: int


class Text:
    """Token ids, of any length: distractor text with others put in at some of its gaps, made only where it is read."""

    def __init__(self, passage: Passage, put: list[tuple[int, np.ndarray]]):
        """put: (position in the passage, ids) in order."""
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
        """ids (stop - start,), fewer past the end; all of them by default."""
        stop, begin, pieces = len(self) if stop is None else stop, 0, [np.zeros(0, np.int64)]
        for part, end in zip(self.parts, self.ends.tolist(), strict=True):
            if begin < stop and end > start:
                a, b = max(start - begin, 0), min(stop, end) - begin
                pieces += self.passage.read(part[0] + a, part[0] + b) if isinstance(part, tuple) else [part[a:b]]
            begin = end
        return np.concatenate(pieces)


@dataclass(frozen=True)
class Example:
    """A document: its text, the class of the answer, and where things stand in it."""

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
    """The record of a task, with which its file ends: how it is made, and what people read of it.

    story(rng, **options) makes a fresh story; `lessons` are options to learn first, the hardest last.
    facts_first: facts open the document; otherwise each is put at a sentence boundary drawn uniformly.
    filtered: whether sentences of the distractor text that have a name or a class in them are left out.
    An option `noise=False` leaves the distractor text out.

    title: its name on a page. keeps: what its models keep, where that is less than the name says. example: a text to
    begin with, {noise} where other text stands. hint: what a model of it can do. knows: what else may be told it.
    about: words of which its question must name one; empty where anything goes. looks: how its facts look in a text.
    asks: (whom or what about, question) of what can be asked at any moment, in the order of their rows.
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
    """Fresh examples without end: the same rng gives the same example.

    split: "train" or "eval"; they draw distractor text from different documents.
    """

    def __init__(self, task: Task, tokenizer: Tokenizer, split: str):
        self.task, self.tokenizer = task, tokenizer
        spoken = frozenset(word.lower() for word in (*NAMES, *task.classes))
        self.distractor = Distractor.load(tokenizer, split, spoken if task.filtered else frozenset())
        self._encode = cache(lambda text: np.array(encode(tokenizer, text), dtype=np.int64))

    def example(self, rng: Rng, n_tokens: int, *, noise: bool = True, **options) -> Example:
        """One document of n_tokens ending in its question; without noise it is as long as it needs to be."""
        story = self.task.story(rng, **options)
        question = self._encode(story.question)
        text, spans = self._tell(rng, story, n_tokens - len(question), noise=noise, then=question)
        spans = (*spans, Span("question", len(text) - len(question), len(text)))
        return Example(text, story.answer, spans, story)

    def tell(self, rng: Rng, story: Story, n_tokens: int) -> tuple[np.ndarray, tuple[Span, ...]]:
        """The facts in distractor text, n_tokens in all, and their spans. Raises InputError when they do not fit."""
        text, spans = self._tell(rng, story, n_tokens)
        return text.read(), spans

    def _tell(self, rng, story, n_tokens, *, noise=True, then=None) -> tuple[Text, tuple[Span, ...]]:
        """The same as a text to read later, the ids `then` at its end beside the n_tokens."""
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
        """Distractor text and nothing else."""
        return Text(self.distractor.sample(rng, n_tokens), []).read()

    def question(self, story: Story) -> np.ndarray:
        return self._encode(story.question)

    def batch(self, rng: Rng, size: int, n_tokens: int, **options) -> tuple[np.ndarray, np.ndarray]:
        """ids (size, n_tokens) and labels (size,)."""
        examples = [self.example(rng, n_tokens, **options) for _ in range(size)]
        return np.stack([e.ids for e in examples]), np.array([e.label for e in examples])

    def _answer(self, fact: np.ndarray, story: Story, start: int) -> list[Span]:
        word = self._encode(self.task.classes[story.answer])
        for i in range(len(fact) - len(word) + 1):
            if (fact[i : i + len(word)] == word).all():
                return [Span("answer", int(start + i), int(start + i + len(word)))]
        return []
