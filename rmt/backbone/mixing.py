"""A memory cell's function in place of softmax attention, as in linear attention, whose past is a matrix."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor

from rmt.backbone.protocol import Layout

# (layer, query, key, value (B, H, N, d), seen, scale) -> output (B, H, N, d), weights (B, H, N, N) whose rows sum to 1,
# or a function that makes these. seen: bool (B or 1, H or 1, N, N), true where a query may see a key.
Mix = Callable[[int, Tensor, Tensor, Tensor, Tensor, float], tuple[Tensor, Tensor | Callable[[], Tensor]]]
MIXING: ContextVar[Mix | None] = ContextVar("mixing", default=None)  # of the running call


@contextmanager
def mixing(mix: Mix | None) -> Iterator[None]:
    """Context in which every layer of the trunk that runs in it calls `mix`."""
    token = MIXING.set(mix)
    try:
        yield
    finally:
        MIXING.reset(token)


def mixed(mix: Mix, layer: int, query, key, value, mask: Tensor | None, causal: bool, scale: float, capture) -> Tensor:
    """One layer's output by `mix` (B, N, H, d); capture gets its weights."""
    n = query.shape[2]
    seen = mask
    if mask is None:
        whole = torch.ones(n, n, dtype=torch.bool, device=query.device)
        seen = (whole.tril() if causal else whole)[None, None]
    output, weights = mix(layer, query, key, value, seen, scale)
    if capture is not None:
        capture(Mixed((weights() if callable(weights) else weights).detach()))
    return output.transpose(1, 2).contiguous()


@dataclass(frozen=True)
class Mixed:
    """One layer's weights (B, H, N, N) from a cell's function."""

    weights: Tensor

    def parts(self, layout: Layout) -> tuple[Tensor, Tensor]:
        """Read columns, transposed (B, H, R, N), and write rows (B, H, W, N), as log probabilities."""
        read, write = layout.read or slice(0, 0), layout.write or slice(0, 0)
        return self.weights[..., read].transpose(-1, -2).log(), self.weights[..., write, :].log()

    def full(self) -> Tensor:
        """The whole attention map (B, H, N, N)."""
        return self.weights
