"""BigBird: blocks of tokens see the block before, random blocks, and the beginning of the text."""

import torch
from torch import Tensor

from rmt.memory.base import Mechanism
from rmt.memory.sparse import SparseAttention

MIX = (2_654_435_761, 40_503, 97_531, 2_246_822_519)  # odd numbers that scatter block, draw and layer
RANGE = 2**31


class BigBird(SparseAttention):
    """Zaheer et al. 2020 (arXiv 2007.14062, section 2): random, window and global attention in blocks.

    A token of a block sees its own block and the one before, n_random earlier blocks, drawn anew for every block and
    layer but the same in every run, and the first n_global tokens of the text. An encoder's tokens see the block after,
    too, and its global tokens all others; the paper's encoder draws random blocks from both sides. Not compared with
    transformers' BigBird: that draws by the length of the text, which a text read in segments does not have yet, has
    its last block global, too, and reads with full attention where it is a decoder.
    """

    both_ways = True

    def __init__(
        self, dim: int, n_memory: int = 64, *, block: int = 16, n_random: int = 1, n_global: int = 1, **options
    ):
        super().__init__(dim, n_memory, n_global=n_global, **options)
        self.block, self.n_random = block, n_random

    def sees(self, looks: Tensor, at: Tensor, heads: Tensor, layer: int) -> Tensor:
        looks, at = (places.div(self.block, rounding_mode="floor") for places in (looks, at))
        seen = (at - looks).abs() <= 1
        for draw in range(self.n_random):
            seen = seen | (at == drawn(looks, draw, layer))
        return seen


def drawn(block: Tensor, draw: int, layer: int) -> Tensor:
    """The earlier block, from 0 to block - 1, that a draw has for each block in this layer; 0 for the first block."""
    mixed = (block * MIX[0] + draw * MIX[1] + (layer + 1) * MIX[2]) % RANGE
    for _ in range(2):
        mixed = torch.bitwise_xor(mixed, mixed >> 15) * MIX[3] % RANGE
    return (mixed >> 8) % block.clamp(min=1)


MECHANISM = Mechanism(
    "bigbird",
    BigBird,
    fresh={"n_memory": 512, "block": 32, "n_random": 1, "n_global": 32},
    keeps_tokens=True,
)
