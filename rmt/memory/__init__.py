"""The memory mechanisms. A new one is a file here and a line in CELLS."""

from rmt.memory.associative import AssociativeMemory
from rmt.memory.base import MemoryCell
from rmt.memory.none import NoMemory
from rmt.memory.recurrent import RecurrentMemory
from rmt.memory.retrieval import RetrievalMemory

CELLS: dict[str, type[MemoryCell]] = {
    "rmt": RecurrentMemory,
    "rmt-r": RetrievalMemory,
    "armt": AssociativeMemory,
    "none": NoMemory,
}
