"""Transformer-XL: what every layer was given for the last positions is kept, and read again beside a segment."""

import torch
from torch import Tensor

from rmt.backbone import Backbone, Layout
from rmt.errors import InputError
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.text.segments import Segment


class TransformerXL(MemoryCell):
    """The cache of Dai et al. 2019 (arXiv 1901.02860, section 3.2) on a decoder that is already there.

    Before layer l stand its own inputs at the n_memory positions before the segment, so its keys and values are made
    of [cache | tokens] and no gradient enters the cache. The state is (B, L, n_memory, D); a position whose numbers
    are all zero is empty and is seen by nobody. As slots, one a position: (B, n_memory, L D).

    A cache as long as the text is full attention. With rotary positions so is any longer text as far as the cache
    goes back, as only distances matter to them. Learned positions are part of what is cached: once the cache is full,
    a cached token and one of the segment may have the same, which the paper's relative encoding was made to avoid.

    initial_std is RMT's; it is taken so that one run's options fit every cell.
    """

    window: int | None = None  # positions a token sees in a layer, itself the last; None for all there are

    def __init__(self, dim: int, n_memory: int = 64, *, n_layers: int, initial_std: float = 0.0):
        super().__init__(dim, n_memory)
        self.n_layers, self.n_write = n_layers, 0  # tokens leave their trace by being read, nothing writes
        self.register_buffer("like", torch.zeros(()), persistent=False)  # knows device and precision

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "TransformerXL":
        decoder_only(cls, backbone)
        return cls(backbone.dim, **{"n_layers": backbone.n_layers, **options})

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_layers, self.n_memory, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        step, given = read_beside(backbone, segment, state, window=self.window)
        return step, torch.cat([state, given], dim=2)[:, :, given.shape[2] :].detach()

    def slots(self, state: Tensor) -> Tensor:
        return state.transpose(1, 2).flatten(2)

    def restore(self, slots: Tensor) -> Tensor:
        return slots.unflatten(2, (self.n_layers, self.dim)).transpose(1, 2)


def read_beside(
    backbone: Backbone, segment: Segment, cached: Tensor, *, window: int | None = None
) -> tuple[Step, Tensor]:
    """Read a segment with cached (B, L, R, D) before it in every layer, and say what each layer was given of it.

    The second value is (B, L, T, D), zero at padding. A layer attends from the cached positions too, and what it makes
    of them is let go: that is what lets any stock layer be used as it is.
    """
    x = backbone.embed(segment.ids)  # (B, T, D)
    r, t, given = cached.shape[2], x.shape[1], {}
    x = torch.cat([x.new_zeros(len(x), r, x.shape[2]), x], dim=1)  # (B, R + T, D)
    layout = Layout(slice(r, r + t), slice(0, r), slice(r + t, r + t))

    def enter(i: int, hidden: Tensor) -> Tensor:
        given[i] = hidden[:, r:]
        return torch.cat([cached[:, i].to(hidden.dtype), given[i]], dim=1)

    with backbone.around_layers(enter, first=r):
        mask = seen(filled(cached), segment)
        output = backbone(x, layout=layout, mask=mask, positions=counted(mask), window=window)
    made = torch.stack([given[i] for i in range(backbone.n_layers)], dim=1)  # (B, L, T, D)
    return Step(output, layout), made if segment.mask is None else made * segment.mask[:, None, :, None]


def filled(cached: Tensor) -> Tensor:
    """(B, R): where any of (B, L, R, D) is not zero."""
    return (cached != 0).any(-1).any(1)


def seen(before: Tensor, segment: Segment) -> Tensor:
    """(B, R + T), true at positions that may be seen: before (B, R), then the segment's tokens."""
    tokens = before.new_ones(segment.ids.shape) if segment.mask is None else segment.mask.bool()
    return torch.cat([before, tokens], dim=1)


def counted(mask: Tensor) -> Tensor:
    """(B, N) positions from 0 at the first that may be seen; what is empty does not count."""
    return (mask.cumsum(1) - 1).clamp(min=0)


def decoder_only(cls: type, backbone: Backbone) -> None:
    """Raises InputError on an encoder, in which later tokens would be seen through what is kept of earlier ones."""
    if not backbone.causal:
        raise InputError(f"{cls.__name__} reads with a decoder such as gpt2 or llama; an encoder has no past to keep.")


MECHANISM = Mechanism("transformer-xl", TransformerXL, fresh={"n_memory": 128}, keeps_tokens=True)
