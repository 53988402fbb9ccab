"""Linear attention: softmax is replaced by a product of features, so all of the past is one matrix a head."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.backbone import Backbone, Layout
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.transformer_xl import decoder_only
from rmt.text.segments import Segment

State = tuple[Tensor, Tensor]


class LinearAttention(MemoryCell):
    """Katharopoulos et al. 2020 (arXiv 2006.16236, eq. 9-12 and 16-20), in every layer of a stock decoder.

    A token reads sum_j phi(q) phi(k_j) v_j / sum_j phi(q) phi(k_j) with phi(x) = elu(x) + 1. Earlier segments enter as
    the sums S = sum phi(k) v' and z = sum phi(k): the state, (B, L, H, F, d) and (B, L, H, F), with F features. As
    slots, one a layer: (B, L, H F (d + 1)). Read by segments this is linear attention over the whole text, in which
    positions begin anew in each segment.

    One read position stands for the state, so that maps show how much of each token's weight is on it. The queries,
    keys and values are the backbone's, after its rotary positions where it has those.

    n_memory and initial_std have no effect; they are arguments so that one run's options fit every cell.
    """

    def __init__(
        self, dim: int, n_memory: int = 0, *, n_layers: int, n_heads: int, d_head: int, initial_std: float = 0.0
    ):
        super().__init__(dim, 0)
        self.n_read, self.n_write = 1, 0
        self.n_layers, self.n_heads, self.d_head, self.n_features = n_layers, n_heads, d_head, d_head
        self.register_buffer("like", torch.zeros(()), persistent=False)  # has the device and precision

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "LinearAttention":
        decoder_only(cls, backbone)
        d_head = getattr(backbone.model.config, "head_dim", None) or backbone.dim // backbone.n_heads
        sizes = {"n_layers": backbone.n_layers, "n_heads": backbone.n_heads, "d_head": d_head}
        return cls(backbone.dim, **{**sizes, **options})

    def initial(self, batch: int) -> State:
        zeros = self.like.new_zeros(batch, self.n_layers, self.n_heads, self.n_features, self.d_head + 1)
        return zeros[..., :-1], zeros[..., -1]

    def step(self, backbone: Backbone, segment: Segment, state: State) -> tuple[Step, State]:
        x, after = F.pad(backbone.embed(segment.ids), (0, 0, 1, 0)), {}  # (B, 1 + T, D)
        layout = Layout(slice(1, x.shape[1]), slice(0, 1), slice(x.shape[1], x.shape[1]))
        mask = None if segment.mask is None else F.pad(segment.mask.bool(), (1, 0), value=True)
        positions = (torch.arange(x.shape[1], device=x.device) - 1).clamp(min=0)
        real = 1.0 if segment.mask is None else segment.mask[:, None, :, None]

        def mix(i: int, query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float) -> tuple[Tensor, Tensor]:
            wide = torch.promote_types(value.dtype, torch.float32)  # sums over a text in half precision lose it
            parts = (one[:, :, 1:].to(wide) for one in (query, key, value))
            before = tuple(part[:, i].to(wide) for part in state)
            output, weights, sums = self.attend(
                i, *parts, seen[..., 1:, 1:], scale, before, real, backbone=backbone, positions=positions[1:]
            )
            after[i] = tuple(part.to(x.dtype) for part in sums)
            weights = F.pad(weights, (0, 0, 1, 0))  # the position of the state sees itself
            weights[..., 0, 0].fill_(1.0)
            return F.pad(output, (0, 0, 1, 0)).to(value.dtype), weights

        output = backbone(x, layout=layout, mask=mask, positions=positions, mix=mix)
        parts = zip(*(after[i] for i in range(self.n_layers)), strict=True)
        return Step(output, layout), tuple(torch.stack(part, dim=1) for part in parts)

    def attend(
        self, i: int, query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float, state: State, real, **_
    ) -> tuple[Tensor, Tensor, State]:
        """One layer's attention of T tokens (B, H, T, d) from its state: output, weights (B, H, T, 1 + T), next state.

        The first column of the weights is the state's share. real: zero at padding, (B, 1, T, 1), or 1.
        """
        matrix, norm = state
        query, key = self.query_features(query), self.features(key) * real
        local = (query @ key.transpose(-1, -2)) * seen
        past = query @ norm[..., None]  # (B, H, T, 1)
        total = local.sum(-1, keepdim=True) + past
        output = (local @ value + query @ matrix) / total
        weights = torch.cat([past, local], dim=-1) / total
        return output, weights, (matrix + key.transpose(-1, -2) @ value, norm + key.sum(2))

    def features(self, x: Tensor) -> Tensor:
        """phi, (B, H, T, d) -> (B, H, T, F), all positive."""
        return F.elu(x) + 1

    def query_features(self, x: Tensor) -> Tensor:
        """phi of queries, up to a factor for each, which the quotient does not have."""
        return self.features(x)

    def slots(self, state: State) -> Tensor:
        matrix, norm = state
        return torch.cat([matrix, norm[..., None]], dim=-1).flatten(2)

    def restore(self, slots: Tensor) -> State:
        both = slots.unflatten(2, (self.n_heads, self.n_features, self.d_head + 1))
        return both[..., :-1], both[..., -1]


MECHANISM = Mechanism("linear-attention", LinearAttention, encoder=False)
