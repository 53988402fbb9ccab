"""Memorizing Transformer: one layer also attends to its nearest neighbours among its own keys of earlier segments."""

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone
from rmt.backbone.weighing import weighed
from rmt.errors import InputError
from rmt.memory.base import Mechanism, Step
from rmt.memory.transformer_xl import TransformerXL, counted, decoder_only, filled, read_beside, seen
from rmt.text.segments import Segment


class MemorizingTransformer(TransformerXL):
    """Wu et al. 2022 (arXiv 2203.08913, section 3): kNN attention in one layer, with a gate for each head.

    In that layer a query attends to its own segment and, apart from that, to the `top` cached keys that match it best;
    of both outputs head h takes g V_memory + (1 - g) V_local with g = sigmoid(b_h). All cached tokens stand at one
    position just before the segment, as the paper's have none. Other layers see the segment alone; the paper gives
    them Transformer-XL's cache, and normalizes keys and queries. The search is exact. The state is the layer's
    inputs at the latest n_memory positions, (B, n_memory, D), and gradients flow into it as far as BPTT goes, whereas
    the paper's memory has none.

    layer: of the L layers, by default the one three quarters up, as the paper's ninth of twelve.
    """

    def __init__(
        self, dim: int, n_memory: int = 64, *, n_layers: int, n_heads: int, top: int = 32, layer: int | None = None,
        initial_std: float = 0.0,
    ):  # fmt: skip
        super().__init__(dim, n_memory, n_layers=n_layers)
        self.top, self.layer = top, max(0, round(0.75 * n_layers) - 1) if layer is None else layer
        if not 0 <= self.layer < n_layers or top < 1:
            raise InputError(f"The layer with neighbours is one of 0 to {n_layers - 1}, and top is 1 or more.")
        self.gate = nn.Parameter(torch.zeros(n_heads))

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "MemorizingTransformer":
        decoder_only(cls, backbone)
        return super().fit(backbone, **{"n_heads": backbone.n_heads, **options})

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_memory, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        cached = torch.stack([state if i == self.layer else torch.zeros_like(state) for i in range(self.n_layers)], 1)
        known = filled(cached)  # (B, R)
        places = known.any(1, keepdim=True) + counted(seen(known[:, :0], segment))  # (B, T)
        positions = torch.cat([torch.zeros_like(known, dtype=places.dtype), places], dim=1)
        step, inputs = read_beside(
            backbone, segment, cached, positions=positions, mix=weighed(self.weigh, self.n_memory)
        )
        return step, torch.cat([state, inputs[:, self.layer]], dim=1)[:, segment.ids.shape[1] :]

    def weigh(self, layer: int, scores: Tensor) -> Tensor:
        """The weights (B, H, Q, N) of scores (B, H, Q, N), cached positions first."""
        r = self.n_memory
        far, near = scores.tensor_split([r], dim=-1)
        local = near.softmax(-1)
        if layer != self.layer or not r:
            return torch.cat([torch.zeros_like(far), local], dim=-1)
        if self.top < r:
            far = far.masked_fill(far < far.topk(self.top, -1).values[..., -1:], -torch.inf)
        some = (far > -torch.inf).any(-1, keepdim=True)
        neighbours = far.masked_fill(~some, 0.0).softmax(-1)
        gate = self.gate.to(far.dtype).sigmoid()[:, None, None] * some  # with nothing cached, the text has it all
        return torch.cat([gate * neighbours, (1 - gate) * local], dim=-1)

    def slots(self, state: Tensor) -> Tensor:
        return state

    def restore(self, slots: Tensor) -> Tensor:
        return slots


MECHANISM = Mechanism(
    "memorizing", MemorizingTransformer, fresh={"n_memory": 512, "top": 32}, keeps_tokens=True, encoder=False
)
