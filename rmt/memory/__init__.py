"""The memory mechanisms by name. A new one is a file here that ends with its record, and an entry in words.py.

`rmt.memory.words` has their names without torch, which is imported when MECHANISMS or CELLS is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from rmt.errors import InputError
from rmt.memory.words import WORDS

if TYPE_CHECKING:
    from rmt.memory.base import Mechanism, MemoryCell

    MECHANISMS: dict[str, Mechanism]  # kind -> record, in the order of WORDS
    CELLS: dict[str, type[MemoryCell]]  # kind -> its cell

__all__ = ["CELLS", "MECHANISMS", "WORDS", "blocks", "mechanism", "own_mechanism"]


def __getattr__(name: str):
    if name == "MECHANISMS":
        value = {words.kind: import_module(f"{__name__}.{words.file}").MECHANISM for words in WORDS}
    elif name == "CELLS":
        value = {kind: record.cell for kind, record in __getattr__("MECHANISMS").items()}
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def mechanism(kind: str) -> "Mechanism":
    """Look up a mechanism's record by its kind. Raises InputError for an unknown one."""
    records = import_module(__name__).MECHANISMS
    if kind not in records:
        raise InputError(f"There is no memory cell {ascii(kind)[:40]}; choose from {', '.join(records)}.")
    return records[kind]


def own_mechanism(family: str | None) -> str | None:
    """The kind of the mechanism that a family of backbones is itself (a recurrent net); None for other families."""
    records = import_module(__name__).MECHANISMS.values()
    return next((record.kind for record in records if family and record.backbone == family), None)


def blocks(kind: str) -> int:
    """The number of blocks of n_memory positions that a cell takes at most in a decoder's augmented input."""
    return mechanism(kind).blocks
