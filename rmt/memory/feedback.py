"""Feedback Transformer: every layer reads one memory, in which each earlier token is a mean over all its layers."""

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.ernie_doc import read_with_outputs
from rmt.memory.transformer_xl import decoder_only
from rmt.text.segments import Segment


class FeedbackMemory(MemoryCell):
    """Fan et al. 2020 (arXiv 2002.09402, eq. 2-3), on a stock decoder.

    A token's memory is m = sum_l softmax(w)_l h_l over its embedding and the outputs of all layers, with learned w; in
    every layer the n_memory latest stand before the segment. So the lowest layer of a later token reads what the
    highest made of an earlier one, and the gradient goes that way, too. The state is (B, n_memory, D), a slot a token;
    all zeros is empty.

    With segments of one token this is the paper's recurrence, but that a token sees itself, too; tokens of one longer
    segment see each other layer by layer, as in the package feedback-transformer-pytorch. Each layer has keys and
    values of its own of the memory, which the paper shares in its faster form. So its numbers are not compared with
    that package's, a decoder of its own with one set of keys and values for all layers and a learned bias of distances.
    initial_std has no effect; it is an argument so that one run's options fit every cell.
    """

    def __init__(self, dim: int, n_memory: int = 64, *, n_layers: int, initial_std: float = 0.0):
        super().__init__(dim, n_memory)
        self.n_layers, self.n_write = n_layers, 0
        self.shares = nn.Parameter(torch.zeros(n_layers + 1))

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "FeedbackMemory":
        decoder_only(cls, backbone)
        return cls(backbone.dim, **{"n_layers": backbone.n_layers, **options})

    def initial(self, batch: int) -> Tensor:
        return self.shares.new_zeros(batch, self.n_memory, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        cached = state[:, None].expand(-1, self.n_layers, -1, -1)
        step, inputs, outputs = read_with_outputs(backbone, segment, cached)
        levels = torch.cat([inputs[:, :1], outputs], dim=1)  # (B, 1 + L, T, D)
        memory = torch.einsum("l,bltd->btd", self.shares.softmax(0).to(levels.dtype), levels)
        return step, torch.cat([state, memory], dim=1)[:, memory.shape[1] :]

    def slots(self, state: Tensor) -> Tensor:
        return state


MECHANISM = Mechanism("feedback", FeedbackMemory, fresh={"n_memory": 128}, keeps_tokens=True, encoder=False)
