"""Find facts and the question in a text that a person typed."""

import re
from collections.abc import Sequence

import numpy as np

from rmt.tasks.base import Span
from rmt.tasks.questions import Look

SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")
COMMON = frozenset(
    "a an and at did does for from her his in into is it of on she that the then they to was what where which who "
    "will with".split()
)


def find_spans(text: str, token_ends: np.ndarray, classes: list[str], looks: Sequence[Look] = ()) -> list[Span]:
    """Find the spans of facts and question, in tokens, in order.

    The question is the last sentence if it ends in "?"; a fact is an earlier sentence that shares a word with it and
    contains one of the classes, or that has one of the looks. token_ends: the end of each token in the text, in
    characters.
    """
    sentences = list(SENTENCE.finditer(text))
    sentences = [match for match in sentences if match[0].strip()]
    asks = bool(sentences) and sentences[-1][0].rstrip().endswith("?")
    asked = _words(sentences[-1][0]) if asks else set()
    answers = {name.lower() for name in classes}
    spans = [
        _span("fact", match, token_ends)
        for match in (sentences[:-1] if asks else sentences)
        if (_words(match[0]) & asked and _words(match[0]) & answers)
        or any(look.pattern.search(match[0]) for look in looks)
    ]
    return [*spans, _span("question", sentences[-1], token_ends)] if asks else spans


def _words(sentence: str) -> set[str]:
    return set(re.findall(r"\w+", sentence.lower())) - COMMON


def _span(kind: str, match: re.Match, token_ends: np.ndarray) -> Span:
    lead = len(match[0]) - len(match[0].lstrip())
    start = int(np.searchsorted(token_ends, match.start() + lead, side="right"))
    end = int(np.searchsorted(token_ends, match.start() + len(match[0].rstrip()), side="left")) + 1
    return Span(kind, start, min(end, len(token_ends)))
