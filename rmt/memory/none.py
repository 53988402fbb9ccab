"""The control without memory: every segment is read on its own."""

from torch import Tensor

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism, Step
from rmt.memory.recurrent import RecurrentMemory
from rmt.text.segments import Segment


class NoMemory(RecurrentMemory):
    """RMT with no slots, so that it differs from RMT in memory alone. The state is (B, 0, D).

    n_memory and initial_std have no effect; they are arguments so that one run's options fit every cell.
    """

    def __init__(self, dim: int, n_memory: int = 0, *, initial_std: float = 0.0):
        super().__init__(dim, 0)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        return super().step(backbone, segment, state)[0], state


MECHANISM = Mechanism("none", NoMemory, carries=False)
