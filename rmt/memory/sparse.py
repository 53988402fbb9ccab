"""The base of sparse attention: a mask over the whole text, read segment by segment from a cache."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.backbone import Backbone
from rmt.memory.base import Step
from rmt.memory.numbers import DIGITS, number, written
from rmt.memory.recurrent import encoder_input, keep_unread
from rmt.memory.transformer_xl import TransformerXL, decoder_only, read_beside
from rmt.text.segments import Segment


class SparseAttention(TransformerXL):
    """Attention of a decoder in which each token sees the earlier ones that a subclass's pattern allows.

    The state is every layer's inputs at the first n_global tokens of the text, which all later ones see, and at the
    latest ones, together n_memory, with each one's place in the text: (B, n_memory, L D + 3). So while all that a
    pattern allows is in the cache, reading is equal to that mask over the whole text, and no longer once it has left.
    With rotary positions places are those of the text; rows of a position table are counted within the cache, as
    Transformer-XL does here. Gradients flow as far as BPTT goes.

    An encoder, where the paper has one (both_ways), reads [CLS] cache [SEP] tokens [SEP]: patterns go to both sides as
    far as the segment goes, global tokens see all others, and the three marks are global. For a text of one segment
    this is the paper's encoder; what comes in later segments is not seen. Other encoders are refused.
    """

    both_ways = False  # whether there is a form for an encoder

    def __init__(
        self, dim: int, n_memory: int = 64, *, n_layers: int, n_heads: int, n_global: int = 0, initial_std: float = 0.0
    ):
        super().__init__(dim, n_memory, n_layers=n_layers)
        self.n_heads, self.n_global = n_heads, min(n_global, n_memory)

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "SparseAttention":
        if not cls.both_ways:
            decoder_only(cls, backbone)
        return cls(backbone.dim, **{"n_layers": backbone.n_layers, "n_heads": backbone.n_heads, **options})

    def sees(self, looks: Tensor, at: Tensor, heads: Tensor, layer: int) -> Tensor:
        """Where a token sees another, by their places in the text, counted from 0: bool (B, 1 or H, N, N).

        looks (B, 1, N, 1), at (B, 1, 1, N), heads (H, 1, 1). Tokens that are not there, and in a decoder later ones,
        are hidden apart from this.
        """
        raise NotImplementedError

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_memory, self.n_layers * self.dim + DIGITS)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        cached, known = super().restore(state[..., :-DIGITS]), number(state[..., -DIGITS:])  # places + 1, 0 for none
        tokens = torch.ones_like(segment.ids) if segment.mask is None else segment.mask.long()
        new = (F.pad(known, (1, 0)).amax(1, keepdim=True) + tokens.cumsum(1)) * tokens  # (B, T)
        if not backbone.causal:
            return self._encode(backbone, segment, state, cached, known, new)
        places = torch.cat([known, new], dim=1) - 1  # (B, N)
        positions = places.clamp(min=0) if backbone.n_positions is None else None
        step, inputs = read_beside(
            backbone, segment, cached, positions=positions, blocked=lambda layer: ~self.pattern(places, layer)
        )
        rows = torch.cat([super().slots(inputs), written(new, inputs.dtype)], dim=-1)  # (B, T, L D + 3)
        return step, self.keep(state, rows, new)

    def _encode(
        self, backbone: Backbone, segment: Segment, state: Tensor, cached: Tensor, known: Tensor, new: Tensor
    ) -> tuple[Step, Tensor]:
        """As `step`, by an encoder: known (B, R) and new (B, T) are the places + 1 of cache and tokens."""
        x, layout, mask = encoder_input(backbone, segment, state.new_zeros(len(state), self.n_memory, self.dim))
        layout, inputs = replace(layout, write=slice(0, 0)), {}
        mask = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask.bool()
        mask = torch.cat([mask[:, :1], known > 0, mask[:, layout.read.stop :]], dim=1)
        places = torch.full_like(mask, -1, dtype=new.dtype)  # of marks, which come before all global tokens
        places[:, layout.read], places[:, layout.tokens] = known - 1, torch.where(new > 0, new - 1, -1)

        def enter(i: int, hidden: Tensor) -> Tensor:
            inputs[i] = hidden[:, layout.tokens]
            before, after = hidden[:, : layout.read.start], hidden[:, layout.read.stop :]
            return torch.cat([before, cached[:, i].to(hidden.dtype), after], dim=1)

        with backbone.around_layers(enter):
            output = backbone(
                x, layout=layout, mask=mask, blocked=lambda layer: ~self.pattern(places, layer, both_ways=True)
            )
        rows = torch.cat([inputs[i] for i in range(self.n_layers)], dim=-1)  # (B, T, L D)
        rows = torch.cat([rows, written(new, rows.dtype)], dim=-1) * (new > 0)[..., None]
        return Step(output, layout), keep_unread(backbone, segment, self.keep(state, rows, new), state)

    def pattern(self, places: Tensor, layer: int, *, both_ways: bool = False) -> Tensor:
        """The pattern (B, 1 or H, N, N) over positions with these places (B, N); each sees itself."""
        heads = torch.arange(self.n_heads, device=places.device)[:, None, None]
        looks, at = places[:, None, :, None], places[:, None, None, :]
        seen = self.sees(looks, at, heads, layer) | (at < self.n_global)
        if both_ways:  # global tokens see all, and so do marks
            seen = seen | (looks < self.n_global)
        return seen | torch.eye(places.shape[1], dtype=torch.bool, device=places.device)

    def keep(self, state: Tensor, rows: Tensor, new: Tensor) -> Tensor:
        """The next state: of rows (B, T, D') with places + 1 new (B, T) the first of a text stay, the rest moves on."""
        at = torch.arange(1, self.n_global + 1, device=new.device)[:, None]
        first = (at == new[:, None]).to(rows.dtype)  # (B, n_global, T)
        held = state[:, : self.n_global] + first @ rows
        others = rows * (new > self.n_global)[..., None]
        return torch.cat([held, torch.cat([state[:, self.n_global :], others], dim=1)[:, rows.shape[1] :]], dim=1)

    def slots(self, state: Tensor) -> Tensor:
        return state

    def restore(self, slots: Tensor) -> Tensor:
        return slots
