"""Performer: linear attention whose features estimate the softmax."""

import math

import torch
from torch import Tensor

from rmt.memory.base import Mechanism
from rmt.memory.linear_attention import LinearAttention

LEAST = -60.0  # e^-60 is far above what float32 can tell from zero


class Performer(LinearAttention):
    """FAVOR+ of Choromanski et al. 2020 (arXiv 2009.14794, eq. 5 and section 2.4), in every layer of a stock decoder.

    phi(x) = exp(w x' - |x'|^2 / 2) / sqrt(F) with x' = x / d^(1/4) and orthogonal random w, so that phi(q) phi(k) has
    exp(q k / sqrt(d)) as its mean over w. The w are drawn once and are part of the checkpoint; the paper's drawing anew
    in training is left out, and so is its small constant beside the exponential: sums that cross boundaries must not
    depend on the greatest key of a segment, by which the package scales them. Instead no exponent of a key is below
    LEAST: of long keys all features would be zero, and so would be what their weights are divided by.
    n_features: F, by default d log d.
    """

    def __init__(
        self,
        dim: int,
        n_memory: int = 0,
        *,
        n_layers: int,
        n_heads: int,
        d_head: int,
        n_features: int | None = None,
        initial_std: float = 0.0,
    ):
        super().__init__(dim, n_layers=n_layers, n_heads=n_heads, d_head=d_head)
        self.n_features = n_features or max(1, int(d_head * math.log(d_head)))
        self.register_buffer("directions", orthogonal(self.n_features, d_head))

    def features(self, x: Tensor) -> Tensor:
        x = x * x.shape[-1] ** -0.25
        exponents = self._along(x) - x.square().sum(-1, keepdim=True) / 2
        return exponents.clamp(min=LEAST).exp() * self.n_features**-0.5

    def query_features(self, x: Tensor) -> Tensor:
        """Those of queries over the greatest of each: of long queries all would be zero."""
        along = self._along(x * x.shape[-1] ** -0.25)
        return (along - along.amax(-1, keepdim=True)).exp()

    def _along(self, x: Tensor) -> Tensor:
        return x @ self.directions.to(x.dtype).T


def orthogonal(rows: int, columns: int) -> Tensor:
    """Random directions (rows, columns), orthogonal in blocks of as many as columns, as long as normal vectors are."""
    blocks = [torch.linalg.qr(torch.randn(columns, columns))[0].T for _ in range(-(-rows // columns))]
    return torch.cat(blocks)[:rows] * torch.randn(rows, columns).norm(dim=1, keepdim=True)


MECHANISM = Mechanism("performer", Performer, encoder=False)
