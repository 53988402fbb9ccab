"""Edges of the path of a cause as values with a text form for links: from words to slots, slot to slot, to the answer.

In Python words and slots start at 0; in the text form they start at 1. `at` counts the segments read by then in both:

    into:6>3        from the sixth of the exchanged words to slot 3, after the last segment that has one of them
    carry@5:3>2     from slot 3 after segment 5 to slot 2 at the next moment of the path
    read:2          from slot 2, before the last segment, to the answer

Several edges are joined by ";". No torch.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rmt.errors import InputError

MOST = 64  # edges in one text
N = "[1-9][0-9]{0,8}"
FORM = re.compile(rf"into:(?P<word>{N})>(?P<slot>{N})|carry@(?P<at>{N}):(?P<a>{N})>(?P<b>{N})|read:(?P<last>{N})")


@dataclass(frozen=True)
class Into:
    """From an exchanged word to a slot."""

    word: int
    slot: int

    def __str__(self) -> str:
        return f"into:{self.word + 1}>{self.slot + 1}"


@dataclass(frozen=True)
class Carry:
    """From a slot, when `at` segments are read, to a slot at the next moment of the path."""

    at: int
    slot: int
    to: int

    def __str__(self) -> str:
        return f"carry@{self.at}:{self.slot + 1}>{self.to + 1}"


@dataclass(frozen=True)
class Read:
    """From a slot before the last segment to the answer."""

    slot: int

    def __str__(self) -> str:
        return f"read:{self.slot + 1}"


Edge = Into | Carry | Read


def parse(text: str) -> tuple[Edge, ...]:
    """Parse the edges in a text, each once, in order; none for "". Raises InputError for a text that names no edge."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if len(parts) > MOST:
        raise InputError(f"That is {len(parts)} edges at once; at most {MOST} are cut.")
    return tuple(dict.fromkeys(map(_one, parts)))


def write(edges: Sequence[Edge]) -> str:
    """Write edges as the text that `parse` reads."""
    return ";".join(map(str, edges))


def valid(text: str, _limit=None) -> str | None:
    """Normalise a text of edges, None where it cannot be parsed: for a parameter of an address."""
    try:
        return write(parse(text))
    except InputError:
        return None


def _one(text: str) -> Edge:
    match = FORM.fullmatch(text)
    if not match:
        raise InputError(f"“{text[:60]}” is no edge; write one such as into:6>3, carry@5:3>2 or read:2.")
    if match["word"]:
        return Into(int(match["word"]) - 1, int(match["slot"]) - 1)
    if match["last"]:
        return Read(int(match["last"]) - 1)
    return Carry(int(match["at"]), int(match["a"]) - 1, int(match["b"]) - 1)
