"""Memformer: slots that every layer reads, each written by its own attention and normed to one length."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.backbone import Backbone, Layout
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.transformer_xl import decoder_only
from rmt.text.segments import Segment


class Memformer(MemoryCell):
    """The memory of Wu et al. 2020 (arXiv 2010.06891, eq. 4-9), on a stock decoder.

    Writing is the paper's: each slot attends to itself and to the segment's last hidden states, never to another slot,
    sharpened by a temperature tau, and is forgotten by a bias: m' = (m + b) / |m + b|. The state is (B, M, D), of
    length 1 a slot; the first is b / |b|. Reading differs: slots stand before the tokens and are read by each layer's
    own attention, in place of a cross-attention. The decoder half and replayed back-propagation are left out.
    """

    def __init__(self, dim: int, n_memory: int = 10, *, tau: float = 0.5, initial_std: float = 1.0):
        super().__init__(dim, n_memory)
        self.n_write, self.tau = 0, tau  # it is written after the last layer
        self.bias = nn.Parameter(torch.randn(n_memory, dim) * initial_std)
        self.query, self.key, self.value, self.enter = (nn.Linear(dim, dim, bias=False) for _ in range(4))

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "Memformer":
        decoder_only(cls, backbone)
        return cls(backbone.dim, **options)

    def initial(self, batch: int) -> Tensor:
        return F.normalize(self.bias, dim=-1).expand(batch, -1, -1)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        x, m = torch.cat([self.enter(state), backbone.embed(segment.ids)], dim=1), state.shape[1]
        layout = Layout(slice(m, x.shape[1]), slice(0, m), slice(x.shape[1], x.shape[1]))
        mask = None if segment.mask is None else F.pad(segment.mask.bool(), (m, 0), value=True)
        output = backbone(x, layout=layout, mask=mask)
        return Step(output, layout), self.write(output.hidden[:, layout.tokens], state, segment.mask)

    def write(self, hidden: Tensor, state: Tensor, mask: Tensor | None = None) -> Tensor:
        """The slots after a segment's last hidden states (B, T, D)."""
        query = self.query(state)
        own = (query * self.key(state)).sum(-1, keepdim=True)  # (B, M, 1): a slot sees itself and no other
        scores = torch.cat([own, query @ self.key(hidden).transpose(1, 2)], dim=-1) * self.dim**-0.5 / self.tau
        if mask is not None:
            scores = scores.masked_fill(~F.pad(mask.bool(), (1, 0), value=True)[:, None], -torch.inf)
        itself, tokens = scores.softmax(-1).split([1, hidden.shape[1]], dim=-1)
        written = itself * self.value(state) + tokens @ self.value(hidden)
        return F.normalize(written + self.bias, dim=-1)

    def slots(self, state: Tensor) -> Tensor:
        return state


MECHANISM = Mechanism("memformer", Memformer, fresh={"n_memory": 16}, blocks=1, encoder=False)
