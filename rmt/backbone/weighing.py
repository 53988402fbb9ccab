"""Attention whose weights a memory cell makes of the scores, in place of the softmax.

Landmark attention, for example, has a softmax within groups, and the Memorizing Transformer one over the text and one
over its nearest neighbours with a gate between them. Such layers compute whole maps (B, H, N, N).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rmt.backbone.protocol import Layout

# (layer, scores (B, H, N, N) in float32 or wider, -inf where a query must not see a key) -> weights of the same shape,
# whose rows sum to 1. The scores may be changed in place only where they carry no gradient.
Weigh = Callable[[int, Tensor], Tensor]


def beside_idle(weights: Tensor) -> Tensor:
    """Weights (B, H, Q, N) of the last Q queries as whole maps (B, H, N, N); the queries before see themselves.

    Those stand at cached positions, and what they compute is dropped.
    """
    n = weights.shape[-1]
    idle = torch.eye(n, dtype=weights.dtype, device=weights.device)[: n - weights.shape[-2]]
    return torch.cat([idle.expand(*weights.shape[:2], -1, -1), weights], dim=-2)


@dataclass(frozen=True)
class Weighed:
    """One layer's weights (B, H, N, N), made by a memory cell."""

    weights: Tensor

    def parts(self, layout: Layout) -> tuple[Tensor, Tensor]:
        """The read columns, transposed (B, H, R, N), and the write rows (B, H, W, N), as log probabilities."""
        read, write = layout.read or slice(0, 0), layout.write or slice(0, 0)
        return self.weights[..., read].transpose(-1, -2).log(), self.weights[..., write, :].log()

    def full(self) -> Tensor:
        """The whole attention map (B, H, N, N)."""
        return self.weights
