"""Interventions as values with a text form for links: what to change, and before which segments. No torch.

In Python indices start at 0 and ranges are half open; in the text form they start at 1 and both ends are included.
Several changes are joined by ";":

    reset@4            reset@4-6/1,2         the initial memory, whole or in some slots, before segments 4 to 6
    freeze@4-9/3       hold@4-               slots keep their values; hold: take those of the unchanged run
    noise:0.5:7@4      ablate:mean@4/1       noise of half their own size, seed 7; zero, mean (over runs) or initial
    transplant:RUN:9@4                       memory of another run before that run's segment 9
    block:read:2.1@4-                        layer 2, head 1 cannot read memory; also write, carry; * for all
    edit:41-47:TEXT    delete:41-47          tokens 41 to 47 of the document
    insert:41:TEXT     move:41-47:120        insert before token 41; move to before token 120
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from rmt.errors import InputError

END = 10**9  # the last segment of a change that lasts to the end; no document is so long
VALUES = ("zero", "mean", "initial")
PATHS = ("read", "write", "carry")
MOST = 64  # changes in one text, at most
MOST_TEXT = 4000  # characters that an edit inserts, at most


@dataclass(frozen=True)
class Timed:
    """A change of memory before each of the segments first to last (inclusive, from 0), in some slots or in all."""

    first: int
    last: int | None = None  # None: the first segment alone
    slots: tuple[int, ...] = ()  # empty: all slots

    def covers(self, segment: int) -> bool:
        """Whether the change acts before this segment."""
        return self.first <= segment <= (self.first if self.last is None else self.last)

    def __str__(self) -> str:
        last = "" if self.last is None else "-" if self.last >= END else f"-{self.last + 1}"
        slots = "/" + ",".join(str(slot + 1) for slot in self.slots) if self.slots else ""
        return f"{self.verb()}@{self.first + 1}{last}{slots}"

    def verb(self) -> str:
        """The part of the text form before the @."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Reset(Timed):
    """Slots get their initial values."""


@dataclass(frozen=True)
class Freeze(Timed):
    """Slots keep their values from before the first of the segments; own: they get the unchanged run's, each time."""

    own: bool = False

    def verb(self) -> str:
        return "hold" if self.own else "freeze"


@dataclass(frozen=True)
class Noise(Timed):
    """Slots get normal noise of `scale` times the root mean square of each slot."""

    scale: float = 1.0
    seed: int = 0

    def verb(self) -> str:
        return f"noise:{f'{self.scale:.6f}'.rstrip('0').rstrip('.')}:{self.seed}"


@dataclass(frozen=True)
class Ablate(Timed):
    """Slots are replaced by zeros, by their mean over other runs at that moment, or by their initial values."""

    to: str = "mean"

    def verb(self) -> str:
        return f"ablate:{self.to}"


@dataclass(frozen=True)
class Transplant(Timed):
    """Slots get the values of the run called `donor` before its segment `at`, by default the same segment."""

    donor: str = ""
    at: int | None = None

    def verb(self) -> str:
        return f"transplant:{quote(self.donor, safe='')}" + ("" if self.at is None else f":{self.at + 1}")


@dataclass(frozen=True)
class Block(Timed):
    """Attention to or from memory is blocked in one layer and head, or in all where None.

    path: "read", only memory sees read memory; "write", write memory sees no token; "carry", write memory does not see
    read memory, where those are two. slots: of read memory for read and carry, of write memory for write.
    """

    path: str = "read"
    layer: int | None = None
    head: int | None = None

    def verb(self) -> str:
        layer, head = ("*" if i is None else i + 1 for i in (self.layer, self.head))
        return f"block:{self.path}:{layer}.{head}"


@dataclass(frozen=True)
class Edit:
    """Tokens start to end of the document are replaced by a text: "" deletes them, start == end inserts it."""

    start: int
    end: int
    text: str = ""

    def __str__(self) -> str:
        text = quote(self.text, safe=" ,.?!'").replace(" ", "+")
        if self.start == self.end:
            return f"insert:{self.start + 1}:{text}"
        return f"edit:{self.start + 1}-{self.end}:{text}" if self.text else f"delete:{self.start + 1}-{self.end}"


@dataclass(frozen=True)
class Move:
    """Tokens start to end of the document are moved to before its token `to`."""

    start: int
    end: int
    to: int

    def __str__(self) -> str:
        return f"move:{self.start + 1}-{self.end}:{self.to + 1}"


Change = Timed | Edit | Move
N = "[1-9][0-9]{0,8}"
TIMED = re.compile(rf"(?P<verb>[^@]+)@(?P<first>{N})(?P<to>-(?P<last>{N})?)?(/(?P<slots>{N}(,{N})*))?")
VERBS = {  # pattern of a timed change's verb -> function of its arguments; `at`: first, last and slots
    "reset": lambda **at: Reset(**at),
    "freeze": lambda **at: Freeze(**at),
    "hold": lambda **at: Freeze(**at, own=True),
    r"noise:([0-9]{1,4}(?:\.[0-9]{1,6})?):([0-9]{1,9})": lambda scale, seed, **at: Noise(
        **at, scale=float(scale), seed=int(seed)
    ),
    f"ablate:({'|'.join(VALUES)})": lambda to, **at: Ablate(**at, to=to),
    rf"transplant:([^:@;]{{1,200}})(?::({N}))?": lambda donor, when, **at: Transplant(
        **at, donor=unquote(donor), at=_index(when)
    ),
    rf"block:({'|'.join(PATHS)}):({N}|\*)\.({N}|\*)": lambda path, layer, head, **at: Block(
        **at, path=path, layer=_index(layer), head=_index(head)
    ),
}
TEXT = re.compile(rf"(edit|delete|insert|move):({N})(?:-({N}))?(?::(.*))?", re.DOTALL)


def parse(text: str) -> tuple[Change, ...]:
    """Parse the changes in a text, in order; none for "". Raises InputError for a text that is no change."""
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if len(parts) > MOST:
        raise InputError(f"That is {len(parts)} changes at once; at most {MOST} are made.")
    return tuple(map(_one, parts))


def write(changes: Sequence[Change]) -> str:
    """Write changes as the text that `parse` reads."""
    return ";".join(map(str, changes))


def valid(text: str, _limit=None) -> str | None:
    """Normalise a text of changes, None where it cannot be parsed: for a parameter of an address."""
    try:
        return write(parse(text))
    except InputError:
        return None


def said(change: Change) -> str:
    """Describe a change in words, with indices from 1."""
    if isinstance(change, Edit):
        where = f"tokens {change.start + 1} to {change.end}"
        if change.start == change.end:
            return f"“{change.text}” told before token {change.start + 1}"
        return f"{where} become “{change.text}”" if change.text else f"{where} left out"
    if isinstance(change, Move):
        return f"tokens {change.start + 1} to {change.end} moved before token {change.to + 1}"
    slots = f"slots {', '.join(str(slot + 1) for slot in change.slots)}" if change.slots else "memory"
    words = _SAID[type(change)](change, slots)
    if change.last is None:
        return f"{words} before segment {change.first + 1}"
    return f"{words} from segment {change.first + 1} " + ("on" if change.last >= END else f"to {change.last + 1}")


_SAID = {
    Reset: lambda change, slots: f"{slots} reset",
    Freeze: lambda change, slots: f"{slots} held as it was" if change.own else f"{slots} frozen",
    Noise: lambda change, slots: f"noise of {change.scale:g} on {slots}",
    Ablate: lambda change, slots: f"{slots} to {'zero' if change.to == 'zero' else f'the {change.to}'}",
    Transplant: lambda change, slots: f"{slots} of {change.donor[:30]}",
    Block: lambda change, slots: f"{change.path} cut{_where(change)}",
}


def _where(change: Timed) -> str:
    parts = [f"{name} {at + 1}" for name in ("layer", "head") if (at := getattr(change, name, None)) is not None]
    return f" in {', '.join(parts)}" if parts else ""


def edits(changes: Sequence[Change]) -> tuple[Edit | Move, ...]:
    """The changes of the document's text."""
    return tuple(change for change in changes if isinstance(change, Edit | Move))


def timed(changes: Sequence[Change]) -> tuple[Timed, ...]:
    """The changes of memory, in order."""
    return tuple(change for change in changes if isinstance(change, Timed))


def _one(text: str) -> Change:
    """Parse one change."""
    match = TEXT.fullmatch(text)
    change = _text_change(*match.groups()) if match else _timed_change(TIMED.fullmatch(text))
    if change is None:
        raise InputError(
            f"“{text[:60]}” is no change; write one such as reset@4, ablate:mean@4-6/1,2 or edit:41-47:some text."
        )
    return change


def _timed_change(match: re.Match | None) -> Timed | None:
    """Make a change of memory from a match of TIMED; None where it is none."""
    for pattern, make in VERBS.items() if match else ():
        if arguments := re.fullmatch(pattern, match["verb"]):
            first, last = int(match["first"]) - 1, _index(match["last"])
            if last is not None and last < first:
                return None
            last = END if match["to"] == "-" else None if last == first else last
            slots = tuple(sorted({int(slot) - 1 for slot in (match["slots"] or "").split(",") if slot}))
            return make(*arguments.groups(), first=first, last=last, slots=slots)
    return None


def _text_change(verb: str, start: str, end: str | None, rest: str | None) -> Edit | Move | None:
    """Make a change of text from the groups of TEXT; None where it is none."""
    first, last = int(start) - 1, None if end is None else int(end)
    if (last is None) != (verb == "insert") or (rest is None) != (verb == "delete") or first >= (last or END):
        return None
    if verb == "move":
        return Move(first, last, int(rest) - 1) if re.fullmatch(N, rest) else None
    text = unquote((rest or "").replace("+", " "))
    return Edit(first, first if last is None else last, text) if len(text) <= MOST_TEXT else None


def _index(text: str | None) -> int | None:
    return None if text in (None, "*") else int(text) - 1
