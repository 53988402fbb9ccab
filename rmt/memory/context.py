"""Exact context: the text before a segment is read again with it, as far back as a given number of tokens."""

import torch
from torch import Tensor

from rmt.backbone import Backbone, Layout
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.transformer_xl import counted, decoder_only, filled, seen
from rmt.text.segments import Segment


class ExactContext(MemoryCell):
    """The last n_memory tokens before each segment under plain full attention: the text that a memory has to replace.

    Equal to the stock model on history and segment in one. The state is the text itself, as the input embeddings of
    its last n_memory tokens (B, n_memory, D); a position whose numbers are all zero is empty and masked. Positions
    count from the first token that is not empty.

    initial_std has no effect; it is an argument so that one run's options fit every cell.
    """

    def __init__(self, dim: int, n_memory: int = 128, *, initial_std: float = 0.0):
        super().__init__(dim, n_memory)
        self.n_write = 0
        self.register_buffer("like", torch.zeros(()), persistent=False)  # has the device and precision

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "ExactContext":
        decoder_only(cls, backbone)
        return cls(backbone.dim, **options)

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_memory, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        x = backbone.embed(segment.ids)  # (B, T, D)
        r, t = state.shape[1], x.shape[1]
        layout = Layout(slice(r, r + t), slice(0, r), slice(r + t, r + t))
        mask = seen(filled(state[:, None]), segment)
        x_before = torch.cat([state, x], dim=1)
        output = backbone(x_before, layout=layout, mask=mask, positions=self.places(mask), **self.options())
        tokens = x if segment.mask is None else x * segment.mask[..., None]
        return Step(output, layout), torch.cat([state, tokens], dim=1)[:, t:]

    def places(self, mask: Tensor) -> Tensor:
        """The position (B, N) that each token is read at."""
        return counted(mask)

    def options(self) -> dict:
        """More options of the backbone's call, for mechanisms that read the same text in another way."""
        return {}

    def slots(self, state: Tensor) -> Tensor:
        return state


MECHANISM = Mechanism("context", ExactContext, fresh={"n_memory": 512}, keeps_tokens=True, encoder=False)
