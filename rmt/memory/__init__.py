"""The memory mechanisms. A new one is a file here and a line in CELLS."""

from rmt.memory.base import MemoryCell
from rmt.memory.none import NoMemory
from rmt.memory.recurrent import RecurrentMemory

CELLS: dict[str, type[MemoryCell]] = {
    "rmt": RecurrentMemory,
    "none": NoMemory,
}
