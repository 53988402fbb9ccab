"""The control without memory: every segment is read alone."""

from torch import Tensor

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism, Step
from rmt.memory.recurrent import RecurrentMemory
from rmt.text.segments import Segment


class NoMemory(RecurrentMemory):
    """Nothing crosses a boundary: RMT with no slots, so that only the memory differs. The state is (B, 0, D)."""

    def __init__(
        self, dim: int, n_memory: int = 0, *, initial_std: float = 0.0
    ):  # as RMT, so that a run's options fit both
        super().__init__(dim, 0)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        return super().step(backbone, segment, state)[0], state


MECHANISM = Mechanism("none", NoMemory)
