"""Transformer-XL: every layer's inputs at the last positions are cached and read again before the next segment."""

import torch
from torch import Tensor

from rmt.backbone import Backbone, Layout
from rmt.errors import InputError
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.text.segments import Segment


class TransformerXL(MemoryCell):
    """The cache of Dai et al. 2019 (arXiv 1901.02860, section 3.2) on a stock decoder.

    Layer l's input is preceded by its own inputs at the n_memory positions before the segment, so its keys and values
    are those of [cache | tokens]; no gradient enters the cache. The state is (B, L, n_memory, D); a position whose
    numbers are all zero is empty and masked. As slots, one a position: (B, n_memory, L D).

    With a cache as long as the text this is full attention. With rotary positions, where only distances matter, it is
    full attention over the cache's length in any longer text. Learned positions are part of the cached inputs: once the
    cache is full, a cached token and one of the segment may have the same position, which the paper's relative encoding
    avoids.

    initial_std has no effect; it is an argument so that one run's options fit every cell.
    """

    window: int | None = None  # positions that a token sees in a layer, itself included; None for all

    def __init__(self, dim: int, n_memory: int = 64, *, n_layers: int, initial_std: float = 0.0):
        super().__init__(dim, n_memory)
        self.n_layers, self.n_write = n_layers, 0  # there is no write memory: tokens are cached as they are read
        self.register_buffer("like", torch.zeros(()), persistent=False)  # has the device and precision

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "TransformerXL":
        decoder_only(cls, backbone)
        return cls(backbone.dim, **{"n_layers": backbone.n_layers, **options})

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_layers, self.n_memory, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        step, inputs = read_beside(backbone, segment, state, window=self.window)
        return step, torch.cat([state, inputs], dim=2)[:, :, inputs.shape[2] :].detach()

    def slots(self, state: Tensor) -> Tensor:
        return state.transpose(1, 2).flatten(2)

    def restore(self, slots: Tensor) -> Tensor:
        return slots.unflatten(2, (self.n_layers, self.dim)).transpose(1, 2)


def read_beside(
    backbone: Backbone,
    segment: Segment,
    cached: Tensor,
    *,
    write: Tensor | None = None,
    positions: Tensor | None = None,
    **options,
) -> tuple[Step, Tensor]:
    """Read a segment with cached (B, L, R, D) before it in every layer; return every layer's inputs, too.

    write (W, D): tokens that stand after the segment's, the same in every segment. positions (B, N): by default counted
    from the first position that is not empty. The other options are the backbone's. The inputs are (B, L, T + W, D),
    zero at padding. A stock layer computes outputs at the cached positions, too; these are dropped.
    """
    x = backbone.embed(segment.ids)  # (B, T, D)
    r, t, inputs = cached.shape[2], x.shape[1], {}
    w = 0 if write is None else len(write)
    after = [] if write is None else [write.to(x.dtype).expand(len(x), -1, -1)]
    x = torch.cat([x.new_zeros(len(x), r, x.shape[2]), x, *after], dim=1)  # (B, R + T + W, D)
    layout = Layout(slice(r, r + t), slice(0, r), slice(r + t, r + t + w))

    def enter(i: int, hidden: Tensor) -> Tensor:
        inputs[i] = hidden[:, r:]
        return torch.cat([cached[:, i].to(hidden.dtype), inputs[i]], dim=1)

    with backbone.around_layers(enter, first=r):
        mask = seen(filled(cached), segment, w)
        positions = counted(mask) if positions is None else positions
        output = backbone(x, layout=layout, mask=mask, positions=positions, **options)
    stacked = torch.stack([inputs[i] for i in range(backbone.n_layers)], dim=1)  # (B, L, T + W, D)
    return Step(output, layout), stacked if segment.mask is None else stacked * mask[:, None, r:, None]


def filled(cached: Tensor) -> Tensor:
    """Where a cache (B, L, R, D) has a position that is not empty: (B, R)."""
    return (cached != 0).any(-1).any(1)


def seen(before: Tensor, segment: Segment, w: int = 0) -> Tensor:
    """The mask (B, R + T + W), true at positions that may be seen: before (B, R), the segment's tokens, W written."""
    tokens = before.new_ones(segment.ids.shape) if segment.mask is None else segment.mask.bool()
    return torch.cat([before, tokens, before.new_ones(len(before), w)], dim=1)


def counted(mask: Tensor) -> Tensor:
    """Positions (B, N) counted from 0 at the first that may be seen; empty ones do not count."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def decoder_only(cls: type, backbone: Backbone) -> None:
    """Raise InputError for an encoder, in which a cache of earlier tokens would hold what later ones say."""
    if not backbone.causal:
        raise InputError(f"{cls.__name__} reads with a decoder such as gpt2 or llama; an encoder has no past to keep.")


MECHANISM = Mechanism(
    "transformer-xl", TransformerXL, fresh={"n_memory": 128}, keeps_tokens=True, encoder=False, gradient=False
)
