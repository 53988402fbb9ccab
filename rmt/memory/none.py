"""The control without memory: every segment is read alone."""

from rmt.memory.base import Mechanism
from rmt.memory.recurrent import RecurrentMemory


class NoMemory(RecurrentMemory):
    """Nothing crosses a boundary: RMT with no slots, so that only the memory differs. The state is (B, 0, D)."""

    def __init__(
        self, dim: int, n_memory: int = 0, *, initial_std: float = 0.0
    ):  # as RMT, so that a run's options fit both
        super().__init__(dim, 0)


MECHANISM = Mechanism("none", NoMemory)
