"""Block-Recurrent Transformer: one layer has a recurrent state that tokens read and that is written through gates."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.backbone import Backbone, Layout
from rmt.errors import InputError
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.transformer_xl import decoder_only
from rmt.text.segments import Segment


class BlockRecurrent(MemoryCell):
    """Hutchins et al. 2022 (arXiv 2203.07852, section 3 and eq. 1-6), on one layer of a stock decoder.

    In that layer tokens attend to the segment and, by queries of their own, to the state's vectors; the two results are
    added after a projection each, which is the paper's projection of both side by side. The state attends to itself and
    to the tokens' keys and values, both results are projected, and gates let them in: the paper's LSTM gates
    c' = c f + z i, or "fixed", c' = c g + z (1 - g) with one learned g a number. There is no feed-forward part on the
    state, as in the paper's best ("skip") form. The state is (B, M, D).

    Maps count the two attentions of a token, or of a slot, as one half each, so that rows sum to 1; in other layers
    nothing reads or writes. The paper's cache of the previous window is left out: attention sees the segment alone.
    layer: by default five sixths up, the paper's tenth of twelve.
    """

    def __init__(
        self, dim: int, n_memory: int = 10, *, n_layers: int, n_heads: int, d_head: int, layer: int | None = None,
        gate: str = "lstm", initial_std: float = 0.1,
    ):  # fmt: skip
        super().__init__(dim, n_memory)
        self.layer = max(0, round(n_layers * 10 / 12) - 1) if layer is None else layer
        if gate not in ("lstm", "fixed") or not 0 <= self.layer < n_layers:
            raise InputError(f"Gates are lstm or fixed, not {gate!r}, in a layer from 0 to {n_layers - 1}.")
        self.n_heads, self.gate = n_heads, gate
        inner = n_heads * d_head
        self.state = nn.Parameter(torch.randn(n_memory, dim) * initial_std)
        self.places = nn.Parameter(torch.randn(n_memory, dim))
        self.norm, self.norm_tokens = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.read, self.own, self.write = (nn.Linear(dim, inner, bias=False) for _ in range(3))  # queries
        self.key, self.value = (nn.Linear(dim, inner, bias=False) for _ in range(2))
        self.beside = nn.Linear(inner, inner, bias=False)
        self.out = nn.Linear(2 * inner, dim, bias=False)
        self.gates = nn.Linear(dim, dim * (3 if gate == "lstm" else 1))
        self.kept = nn.Parameter(torch.zeros(dim)) if gate == "fixed" else None
        nn.init.zeros_(self.beside.weight)  # so that a pretrained backbone begins as it was

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "BlockRecurrent":
        decoder_only(cls, backbone)
        d_head = getattr(backbone.model.config, "head_dim", None) or backbone.dim // backbone.n_heads
        sizes = {"n_layers": backbone.n_layers, "n_heads": backbone.n_heads, "d_head": d_head}
        return cls(backbone.dim, **{**sizes, **options})

    def initial(self, batch: int) -> Tensor:
        return self.state.expand(batch, -1, -1)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        m, (_, t) = state.shape[1], segment.ids.shape
        x = F.pad(backbone.embed(segment.ids), (0, 0, m, m))  # the state's positions are there for its maps
        layout = Layout(slice(m, m + t), slice(0, m), slice(m + t, t + 2 * m))
        places = torch.arange(t, device=x.device)
        mask = None if segment.mask is None else F.pad(segment.mask.bool(), (m, m), value=True)
        inputs, after = {}, []
        normed = self.norm(state) + self.places

        def enter(i: int, hidden: Tensor) -> Tensor:
            inputs[i] = hidden[:, layout.tokens]
            return hidden

        def mix(i: int, query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float) -> tuple[Tensor, Tensor]:
            own = slice(m, m + t)
            query, key, value, seen = query[:, :, own], key[:, :, own], value[:, :, own], seen[..., own, own]
            local = weigh(query @ key.transpose(-1, -2) * scale, seen)
            output, rows = local.to(value.dtype) @ value, F.pad(local, (m, m))
            last = F.pad(torch.eye(2 * m, dtype=local.dtype, device=x.device), (0, t))[:m].expand(
                len(x), self.n_heads, -1, -1
            )
            below = last.flip(-1, -2)
            if i == self.layer:
                read, from_state = self.look(self.norm_tokens(inputs[i]), normed)
                output = output + self.split(self.beside(self.join(read)))
                rows = torch.cat([from_state, local, torch.zeros_like(from_state)], dim=-1) / 2
                _, key = backbone.turned_back(key, key, places)
                written, carry, write = self.update(normed, key, value, state, segment.mask)
                after.append(written)
                below = torch.cat([carry, write, torch.zeros_like(carry)], dim=-1) / 2
            return F.pad(output, (0, 0, m, m)), torch.cat([last, rows, below], dim=2)

        positions = torch.cat([places.new_zeros(m), places, places.new_zeros(m)])
        with backbone.around_layers(enter):
            output = backbone(x, layout=layout, mask=mask, positions=positions, mix=mix)
        return Step(output, layout), after[0]

    def look(self, tokens: Tensor, normed: Tensor) -> tuple[Tensor, Tensor]:
        """What tokens (B, T, D) read from the normed state: (B, H, T, d), and their weights (B, H, T, M)."""
        return attend(self.split(self.read(tokens)), self.split(self.key(normed)), self.split(self.value(normed)))

    def update(
        self, normed: Tensor, key: Tensor, value: Tensor, state: Tensor, mask=None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The state after a segment with keys and values (B, H, T, d), and its weights on itself and on the tokens."""
        mine = self.split(self.key(normed)), self.split(self.value(normed))
        own, carry = attend(self.split(self.own(normed)), *mine)
        told, write = attend(self.split(self.write(normed)), key, value, mask)
        z = self.gates(self.out(torch.cat([self.join(own), self.join(told)], dim=-1)))
        if self.gate == "fixed":
            g = self.kept.sigmoid()
            return state * g + z * (1 - g), carry, write
        z, i, f = z.chunk(3, dim=-1)
        return state * (f + 1).sigmoid() + z.tanh() * (i - 1).sigmoid(), carry, write

    def split(self, x: Tensor) -> Tensor:
        """Into heads: (B, N, H d) -> (B, H, N, d)."""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def join(self, x: Tensor) -> Tensor:
        """From heads: (B, H, N, d) -> (B, N, H d)."""
        return x.transpose(1, 2).flatten(2)

    def slots(self, state: Tensor) -> Tensor:
        return state


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Attention without causality: what is read (B, H, Q, d), and the weights (B, H, Q, K); mask (B, K)."""
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    weights = weigh(scores, None if mask is None else mask.bool()[:, None, None])
    return weights.to(value.dtype) @ value, weights


def weigh(scores: Tensor, seen: Tensor | None) -> Tensor:
    """The softmax of scores where seen is true, in float32 or wider."""
    scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
    return (scores if seen is None else scores.masked_fill(~seen, -torch.inf)).softmax(-1)


MECHANISM = Mechanism("block-recurrent", BlockRecurrent, fresh={"n_memory": 16}, encoder=False)
