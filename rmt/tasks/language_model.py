"""Language modelling: every token of a segment is predicted from those before it and from the segments before it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from rmt.errors import InputError
from rmt.tasks.base import Rng

NAME = "language_model"


@dataclass(frozen=True)
class Target:
    """A stretch to score: the tokens from `start` on of a document, predicted with some of the history before them."""

    document: int
    start: int


class Documents:
    """The tokenized documents of one split, with windows to train on and targets to score."""

    def __init__(self, tokenizer: Tokenizer, dataset: Mapping[str, Sequence[str]]):
        self.names: list[str] = list(dataset["name"])
        encoded = tokenizer.encode_batch(list(dataset["text"]), add_special_tokens=False)
        self.ids = [np.array(one.ids, dtype=np.int64) for one in encoded]

    def windows(self, rng: Rng, count: int, n_tokens: int, *, ends: bool = False) -> np.ndarray:
        """Draw windows: ids (count, n_tokens), each from one document, all possible beginnings equally likely.

        ends: only windows that end where their document ends.
        """
        starts = np.array([max(0, len(ids) - n_tokens + 1) for ids in self.ids])
        if ends:
            long = [ids[-n_tokens:] for ids, count in zip(self.ids, starts, strict=True) if count]
            if long:
                return np.stack([long[i] for i in rng.integers(len(long), size=count)])
        if not starts.any():
            raise InputError(f"No document is {n_tokens} tokens long; train with fewer or shorter segments.")
        ends = starts.cumsum()
        drawn = rng.integers(ends[-1], size=count)
        documents = np.searchsorted(ends, drawn, side="right")
        begins = drawn - ends[documents] + starts[documents]
        return np.stack([self.ids[d][b : b + n_tokens] for d, b in zip(documents, begins, strict=True)])

    def targets(self, length: int, before: int, per_document: int) -> list[Target]:
        """Choose evenly spaced targets of `length` tokens, with `before` tokens before them and one token after.

        The last target of a document is at its end. Documents too short for all their targets are left out.
        """
        chosen = []
        for i, ids in enumerate(self.ids):
            last = len(ids) - length - 1
            if last >= before + per_document - 1:
                starts = np.linspace(last, before, per_document).round().astype(int)
                chosen += [Target(i, int(start)) for start in sorted(starts)]
        if len({target.document for target in chosen}) < 2:
            raise InputError(
                f"Fewer than two held-out documents have {before + length + 1} tokens; ask for less history or give "
                "longer documents."
            )
        return chosen

    def read(self, targets: list[Target], length: int, before: int) -> np.ndarray:
        """Read targets: ids (targets, before + length + 1) of the history, the target, and the token after it."""
        rows = [(self.ids[t.document], t.start) for t in targets]
        return np.stack([ids[start - before : start + length + 1] for ids, start in rows])
