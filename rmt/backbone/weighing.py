"""Attention whose weights a memory cell makes of the scores, in place of the softmax.

Landmark attention, for example, has a softmax within groups, and the Memorizing Transformer one over the text and one
over its nearest neighbours with a gate between them.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from rmt.backbone.mixing import Mix

# (layer, scores (B, H, Q, N) in float32 or wider, -inf where a query must not see a key) -> weights of the same shape,
# whose rows sum to 1.
Weigh = Callable[[int, Tensor], Tensor]


def weighed(weigh: Weigh, first: int) -> Mix:
    """The function in place of softmax attention that has these weights for the queries from `first` on.

    Those before stand at cached positions, and what they compute is dropped: they see themselves.
    """

    def mix(layer: int, query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(query.dtype, torch.float32)
        with torch.autocast(query.device.type, enabled=False):
            scores = query[..., first:, :].to(wide) @ key.to(wide).transpose(-1, -2) * scale
            weights = weigh(layer, scores.masked_fill(~seen[..., first:, :], -torch.inf))
            output = torch.cat([value[..., :first, :], weights.to(value.dtype) @ value], dim=-2)
        return output, lambda: beside_idle(weights)

    return mix


def beside_idle(weights: Tensor) -> Tensor:
    """Weights (B, H, Q, N) of the last Q queries as whole maps (B, H, N, N); the queries before see themselves."""
    n = weights.shape[-1]
    idle = torch.eye(n, dtype=weights.dtype, device=weights.device)[: n - weights.shape[-2]]
    return torch.cat([idle.expand(*weights.shape[:2], -1, -1), weights], dim=-2)
