"""Blocked attention: a Backbone around a Backbone that applies an intervention's `Block`s."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor

from rmt.backbone import Layout, Output
from rmt.errors import InputError
from rmt.intervene.changes import Block


class Blocking:
    """A Backbone around a Backbone that blocks attention in the segments of its blocks.

    segment: the index of the segment that is being read, set by the caller; other segments are the same to the bit.
    """

    def __init__(self, backbone, blocks: Sequence[Block]):
        if blocks and not backbone.fused:
            kind = type(backbone.model).__name__
            raise InputError(f"{kind} runs its own attention, so no path in it can be cut; use another family.")
        self.backbone, self.blocks, self.segment = backbone, blocks, 0

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    def __call__(self, x: Tensor, *, layout: Layout, **options) -> Output:
        active = [block for block in self.blocks if block.covers(self.segment)]
        if active:
            cuts = [(block, hidden(block, layout, x.shape[1], self.backbone.n_heads, x.device)) for block in active]
            own = options.get("blocked")  # of a memory cell
            options["blocked"] = lambda layer: _union(
                [cut for block, cut in cuts if block.layer in (None, layer)], own and own(layer)
            )
        return self.backbone(x, layout=layout, **options)


def hidden(block: Block, layout: Layout, n: int, n_heads: int, device=None) -> Tensor:
    """The mask (H, N, N) of a block in one segment, true where a query may not see a key; all see themselves."""
    positions = torch.arange(n, device=device)
    read, write = (positions[where or slice(0, 0)] for where in (layout.read, layout.write))
    if not len(read) or not len(write):
        raise InputError("This memory is not read and written by attention, so no path of it can be cut.")
    others = positions[~torch.isin(positions, torch.cat([read, write]))]
    some = list(block.slots) or slice(None)
    queries, keys = {"read": (others, read[some]), "write": (write[some], others), "carry": (write, read[some])}[
        block.path
    ]
    cut = torch.isin(positions, queries)[:, None] & torch.isin(positions, keys) & (positions[:, None] != positions)
    heads = torch.zeros(n_heads, 1, 1, dtype=torch.bool, device=device)
    heads[slice(None) if block.head is None else block.head] = True
    return heads & cut


def _union(cuts: list[Tensor], own: Tensor | None) -> Tensor | None:
    """What any of the masks hides, (H, N, N) or (B, H, N, N); None where there is none."""
    masks = cuts if own is None else [*cuts, own]
    return reduce(torch.logical_or, masks) if masks else None
