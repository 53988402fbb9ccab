"""Memory Transformer: the same learned memory tokens before each segment; nothing crosses a boundary."""

from dataclasses import replace

from torch import Tensor

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism, Step
from rmt.memory.recurrent import RecurrentMemory, decoder_input, encoder_input
from rmt.text.segments import Segment


class MemoryTransformer(RecurrentMemory):
    """MemTransformer of Burtsev et al. 2020 (arXiv 2006.11527): the same learned memory tokens before each segment.

    A decoder reads [memory | tokens], an encoder [CLS] memory [SEP] tokens [SEP]: RMT without its recurrence, and equal
    to it on one segment. Nothing is written, and the state is (B, 0, D).
    """

    def __init__(self, dim: int, n_memory: int = 10, *, initial_std: float = 0.02):
        super().__init__(dim, n_memory, initial_std=initial_std)
        self.n_write = 0

    def initial(self, batch: int) -> Tensor:
        return self.memory.new_zeros(batch, 0, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        memory = self.memory.expand(len(state), -1, -1)
        if backbone.causal:
            x, layout, mask = decoder_input(backbone, segment, memory, memory[:, :0])
        else:
            x, layout, mask = encoder_input(backbone, segment, memory)
            layout = replace(layout, write=slice(0, 0))
        return Step(backbone(x, layout=layout, mask=mask), layout), state


MECHANISM = Mechanism("memory-transformer", MemoryTransformer, fresh={"n_memory": 16}, carries=False)
