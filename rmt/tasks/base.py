"""What a task is: stories whose facts are hidden in distractor text, with a question at the end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from tokenizers import Tokenizer

from rmt.errors import InputError
from rmt.tasks.distractor import Distractor
from rmt.vocabulary import encode

NAMES = ("Mary", "John", "Daniel", "Sandra")
ACTIONS = ("moved", "went", "went back", "journeyed", "travelled")
PLACES = ("bathroom", "hallway", "garden", "office", "bedroom", "kitchen")

Rng = np.random.Generator


@dataclass(frozen=True)
class Story:
    """Facts in the order they are told, the question, and the class of its answer."""

    facts: tuple[str, ...]
    question: str
    answer: int


@dataclass(frozen=True)
class Span:
    """Tokens start to end of a document: a "fact", the "question", or the "answer" as a fact gives it."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """A document: ids (n_tokens,), the class of the answer, and where things stand in it."""

    ids: np.ndarray
    label: int
    spans: tuple[Span, ...]
    story: Story


@dataclass(frozen=True)
class Task:
    """story(rng, **options) makes a fresh story; `lessons` are options to learn first, the hardest last.

    facts_first: facts open the document; otherwise each is put at a sentence boundary drawn uniformly.
    An option `noise=False` leaves the distractor text out.
    """

    name: str
    classes: tuple[str, ...]
    story: Callable[..., Story]
    facts_first: bool = False
    lessons: tuple[dict, ...] = field(default=())


class Sampler:
    """Fresh examples without end: the same rng gives the same example.

    split: "train" or "eval"; they draw distractor text from different documents.
    """

    def __init__(self, task: Task, tokenizer: Tokenizer, split: str):
        self.task, self.tokenizer = task, tokenizer
        spoken = frozenset(word.lower() for word in (*NAMES, *task.classes))
        self.distractor = Distractor.load(tokenizer, split, spoken)
        self._encode = cache(lambda text: np.array(encode(tokenizer, text), dtype=np.int64))

    def example(self, rng: Rng, n_tokens: int, *, noise: bool = True, **options) -> Example:
        """One document of n_tokens ending in its question; without noise it is as long as it needs to be."""
        story = self.task.story(rng, **options)
        question = self._encode(story.question)
        ids, spans = self.tell(rng, story, n_tokens - len(question), noise=noise)
        spans = (*spans, Span("question", len(ids), len(ids) + len(question)))
        return Example(np.concatenate([ids, question]), story.answer, spans, story)

    def tell(self, rng: Rng, story: Story, n_tokens: int, *, noise: bool = True) -> tuple[np.ndarray, tuple[Span, ...]]:
        """The facts in distractor text, n_tokens in all, and their spans. Raises InputError when they do not fit."""
        facts = [self._encode(fact) for fact in story.facts]
        room = n_tokens - sum(map(len, facts)) if noise else 0
        if room < 0:
            raise InputError(f"{n_tokens} tokens are too few for this story; give longer or more segments.")
        text, gaps = self.distractor.sample(rng, room)
        at = np.zeros(len(facts), int) if self.task.facts_first else np.sort(rng.choice(gaps, len(facts)))
        parts, spans, done, length = [], [], 0, 0
        for fact, gap in zip(facts, at, strict=True):
            parts += [text[done:gap], fact]
            start, done = length + gap - done, gap
            length = start + len(fact)
            spans += [Span("fact", int(start), int(length)), *self._answer(fact, story, start)]
        return np.concatenate([*parts, text[done:]]), tuple(spans)

    def filler(self, rng: Rng, n_tokens: int) -> np.ndarray:
        """Distractor text and nothing else."""
        return self.distractor.sample(rng, n_tokens)[0]

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
