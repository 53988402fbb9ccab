"""The memory mechanisms. A new one is a file here and a line in CELLS."""

from rmt.memory.associative import AssociativeMemory
from rmt.memory.base import MemoryCell
from rmt.memory.compressive import CompressiveTransformer
from rmt.memory.context import ExactContext
from rmt.memory.memory_transformer import MemoryTransformer
from rmt.memory.none import NoMemory
from rmt.memory.recurrent import RecurrentMemory
from rmt.memory.retrieval import RetrievalMemory
from rmt.memory.sliding_window import SlidingWindow
from rmt.memory.transformer_xl import TransformerXL

CELLS: dict[str, type[MemoryCell]] = {
    "rmt": RecurrentMemory,
    "rmt-r": RetrievalMemory,
    "armt": AssociativeMemory,
    "transformer-xl": TransformerXL,
    "compressive": CompressiveTransformer,
    "sliding-window": SlidingWindow,
    "context": ExactContext,
    "memory-transformer": MemoryTransformer,
    "none": NoMemory,
}


def blocks(kind: str) -> int:
    """How many times as many positions as it has memory tokens a cell may take of a decoder's augmented input."""
    return 3 if kind == "rmt-r" else 2  # read memory and write memory; RMT-R reads what it found beside its latest
