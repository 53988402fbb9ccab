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
