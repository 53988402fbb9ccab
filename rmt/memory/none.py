"""The control without memory: every segment is read alone."""

from rmt.memory.recurrent import RecurrentMemory


class NoMemory(RecurrentMemory):
    """Nothing crosses a boundary: RMT with no slots, so that only the memory differs. The state is (B, 0, D)."""

    def __init__(self, dim: int, n_memory: int = 0):
        super().__init__(dim, 0)
