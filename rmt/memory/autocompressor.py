"""AutoCompressor: every segment ends in summary tokens, and all summaries so far stand before the next segment."""

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.recurrent import decoder_input
from rmt.memory.transformer_xl import counted, decoder_only
from rmt.text.segments import Segment


class AutoCompressor(MemoryCell):
    """Chevalier et al. 2023 (arXiv 2305.14788, section 3): summary accumulation.

    A decoder reads [summaries | tokens | summary tokens]. The last hidden states of the n_memory learned summary tokens
    are the segment's summary vectors, and those of all segments so far are a soft prompt for the next. The state is
    (B, kept n_memory, D): the summaries of the latest `kept` segments, oldest first, of which the paper keeps all; a
    position whose numbers are all zero is empty and masked. Positions count from the first that is not empty; the
    paper's OPT gives its summary vectors none. Gradients flow as far as BPTT goes; the paper stops them after two
    summaries.
    """

    def __init__(self, dim: int, n_memory: int = 10, *, kept: int = 8, initial_std: float = 0.02):
        super().__init__(dim, n_memory)
        self.n_read = kept * n_memory
        self.memory = nn.Parameter(torch.randn(n_memory, dim) * initial_std)

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "AutoCompressor":
        decoder_only(cls, backbone)
        return super().fit(backbone, **options)

    def initial(self, batch: int) -> Tensor:
        return self.memory.new_zeros(batch, self.n_read, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        x, layout, mask = decoder_input(backbone, segment, state, self.memory.expand(len(state), -1, -1))
        if mask is None:
            mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        mask = torch.cat([(state != 0).any(-1), mask[:, self.n_read :].bool()], dim=1)
        output = backbone(x, layout=layout, mask=mask, positions=counted(mask))
        return Step(output, layout), torch.cat([state, output.hidden[:, layout.write]], dim=1)[:, self.n_memory :]

    def slots(self, state: Tensor) -> Tensor:
        return state


# Nine blocks: read memory is the summaries of eight segments.
MECHANISM = Mechanism("autocompressor", AutoCompressor, fresh={"n_memory": 4}, blocks=9, encoder=False)
