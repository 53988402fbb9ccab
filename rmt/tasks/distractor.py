"""Distractor text: State of the Union addresses, some held out for evaluation, cut into sentences."""

import hashlib
import re
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property, lru_cache
from zipfile import BadZipFile

import numpy as np
import tokenizers
from tokenizers import Tokenizer

from rmt.errors import InputError
from rmt.files import cache_folder, remove, written_whole
from rmt.tasks.addresses import EVERY, addresses

MOST_KEPT = 12  # vocabularies and splits whose tokens are kept on disk, 3 to 20 MB each

SENTENCE = re.compile(r"(?<=[.!?])\s+")
WORD = re.compile(r"\w+")


def documents(split: str) -> dict[str, str]:
    """The addresses of one split by name. Raises InputError where the package is missing."""
    return {name: text for i, (name, text) in enumerate(addresses().items()) if (i % EVERY == 0) == (split == "eval")}


class Distractor:
    """The tokens of one split's documents, with the position where each sentence begins.

    without: words that no sentence may contain. Prose has facts of its own ("turned away from her kitchen door"), and
    one such sentence makes the right answer to "Where is Mary?" ambiguous.
    """

    def __init__(self, tokenizer: Tokenizer, texts: list[str], without: frozenset[str] = frozenset()):
        sentences = [SENTENCE.split(text.strip()) for text in texts]
        of = np.repeat(np.arange(len(texts)), [len(some) for some in sentences])  # the text of each
        sentences = [sentence for some in sentences for sentence in some]
        ids, lengths = encoded(tokenizer, sentences)
        kept = np.array([without.isdisjoint(WORD.findall(sentence.lower())) for sentence in sentences])
        self.ids, lengths, of = ids[np.repeat(kept, lengths)], lengths[kept], of[kept]
        self.sentences = [sentence for sentence, keep in zip(sentences, kept, strict=True) if keep]
        self.starts = np.concatenate([[0], lengths.cumsum()[:-1]])
        ends = np.searchsorted(of, np.arange(len(texts)), side="right")
        self.ends = np.append(self.starts, len(self.ids))[ends]  # where each document ends

    @classmethod
    def load(cls, tokenizer: Tokenizer, split: str, without: frozenset[str] = frozenset()) -> "Distractor":
        """Load the distractor text of a split; it is tokenized once for each vocabulary and then cached."""
        return _load(tokenizer.to_str(), split, without)

    @lru_cache(maxsize=8)  # noqa: B019 - as many as there are splits and worlds in one training
    def mentioning(self, words: tuple[str, ...]) -> dict[str, np.ndarray]:
        """Of each of these words, the numbers of the sentences that have a word beginning with it, if there are any."""
        patterns = {word: re.compile(rf"\b{re.escape(word)}", re.IGNORECASE) for word in words}
        found = {
            word: np.flatnonzero([pattern.search(text) is not None for text in self.sentences])
            for word, pattern in patterns.items()
        }
        return {word: numbers for word, numbers in found.items() if len(numbers)}

    @cached_property
    def capitalized(self) -> list[str]:
        """The capitalized words that do not begin a sentence, each once: most are names."""
        found = {match[0] for text in self.sentences for match in WORD.finditer(text) if match.start()}
        return sorted(word for word in found if word[0].isupper())

    def planted(self, rng: np.random.Generator, number: int, word: str) -> tuple[str, int]:
        """Sentence `number` with this word in place of one of its own, and where it stands.

        The other word was capitalized or not as this one is; where there is none, the sentence is as it was.
        """
        text = self.sentences[number]
        own = [match for match in WORD.finditer(text) if match[0][0].isupper() == word[0].isupper() and match.start()]
        if not own:
            return text, 0
        place = own[int(rng.integers(len(own)))]
        return text[: place.start()] + word + text[place.end() :], place.start()

    def sample(self, rng: np.random.Generator, n_tokens: int) -> "Passage":
        """Draw n_tokens of text that begin at a random sentence; past the end of a document another one follows."""
        pieces, length = [], 0
        while length < n_tokens:
            start = int(rng.choice(self.starts))
            end = min(int(self.ends[np.searchsorted(self.ends, start, side="right")]), start + n_tokens - length)
            pieces.append((start, end))
            length += end - start
        return Passage(self, np.array(pieces, dtype=np.int64).reshape(-1, 2))


@lru_cache(maxsize=4)
def _load(vocabulary: str, split: str, without: frozenset[str]) -> Distractor:
    """Load distractor text by a tokenizer's JSON text, so that equal tokenizers share one cache entry."""
    tokenizer = Tokenizer.from_str(vocabulary)
    tokenizer.encode_special_tokens = True
    return Distractor(tokenizer, list(documents(split).values()), without)


def encoded(tokenizer: Tokenizer, sentences: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The tokens (N,) of sentences one after another, and how many each has.

    To encode all addresses takes seconds of every command, so the tokens are kept in the user's cache, under a name
    made from all that they depend on. Where they cannot be kept, or are damaged, they are made anew.
    """
    key = "\0".join([tokenizers.__version__, str(tokenizer.encode_special_tokens), tokenizer.to_str(), *sentences])
    folder = cache_folder() / "tokens"
    file = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npz"
    with suppress(OSError, ValueError, KeyError, EOFError, BadZipFile), np.load(file) as kept:
        return kept["ids"].astype(np.int64), kept["lengths"]
    found = tokenizer.encode_batch(sentences, add_special_tokens=False)
    lengths = np.array([len(e.ids) for e in found])
    ids = np.concatenate([np.array(e.ids, dtype=np.int64) for e in found])
    with suppress(OSError, InputError):
        folder.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as part, part.open("wb") as place:
            np.savez(place, ids=ids.astype(np.uint32), lengths=lengths)
        for old in sorted(folder.glob("*.npz"), key=lambda one: one.stat().st_mtime)[:-MOST_KEPT]:
            remove(old)
    return ids, lengths


class Passage:
    """Distractor text as stretches (P, 2) of the documents' tokens; tokens are copied only when they are read.

    Its `n_gaps` gaps are the positions between its sentences, with its beginning and its end.
    """

    def __init__(self, source: Distractor, stretches: np.ndarray):
        self.source, self.stretches = source, stretches
        self.ends = (stretches[:, 1] - stretches[:, 0]).cumsum()
        self.sentences = np.searchsorted(source.starts, stretches)  # (P, 2) the first one and the one after the last
        self.gap_ends = (self.sentences[:, 1] - self.sentences[:, 0]).cumsum()

    def __len__(self) -> int:
        return int(self.ends[-1]) if len(self.ends) else 0

    @property
    def n_gaps(self) -> int:
        return 1 + (int(self.gap_ends[-1]) if len(self.gap_ends) else 0)

    def gap(self, k: int) -> int:
        """The position of gap k, in tokens from the passage's beginning."""
        if k == self.n_gaps - 1:
            return len(self)
        i = int(np.searchsorted(self.gap_ends, k, side="right"))
        sentence = self.sentences[i, 1] - (self.gap_ends[i] - k)
        return int(self.ends[i] - (self.stretches[i, 1] - self.source.starts[sentence]))

    def read(self, start: int, stop: int) -> list[np.ndarray]:
        """Tokens start to stop, as a list of views."""
        pieces = []
        for i in range(int(np.searchsorted(self.ends, start, side="right")), len(self.ends)):
            first, last = self.stretches[i]
            begin = self.ends[i] - (last - first)  # of this stretch in the passage
            if begin >= stop:
                break
            pieces.append(self.source.ids[first + max(start - begin, 0) : last - max(self.ends[i] - stop, 0)])
        return pieces
