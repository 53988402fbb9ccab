"""Longformer: a window, in half of the heads a dilated one, and a few tokens at the beginning that all others see."""

from torch import Tensor

from rmt.memory.base import Mechanism
from rmt.memory.sparse import SparseAttention


class Longformer(SparseAttention):
    """Beltagy et al. 2020 (arXiv 2004.05150, section 3.1), in a decoder or an encoder.

    A token sees the latest `window` ones, itself included; in the second half of the heads only every dilation-th, as
    many and so `dilation` times as far back. All see the first n_global tokens of the text. In an encoder windows go
    to both sides, and global tokens see all others; in the paper these have projections of their own besides.
    """

    both_ways = True

    def __init__(
        self, dim: int, n_memory: int = 64, *, window: int = 32, dilation: int = 2, n_global: int = 1, **options
    ):
        super().__init__(dim, n_memory, n_global=n_global, **options)
        self.window, self.dilation = window, dilation

    def sees(self, looks: Tensor, at: Tensor, heads: Tensor, layer: int) -> Tensor:
        step = 1 + (self.dilation - 1) * (2 * heads >= self.n_heads)  # (H, 1, 1)
        distance = (looks - at).abs()
        return (distance < self.window * step) & (distance % step == 0)


MECHANISM = Mechanism(
    "longformer",
    Longformer,
    fresh={"n_memory": 128, "window": 64, "dilation": 2, "n_global": 4},
    keeps_tokens=True,
)
