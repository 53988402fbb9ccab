"""Sparse Transformer: half of the heads see the latest tokens, the other half every stride-th of all earlier ones."""

import torch
from torch import Tensor

from rmt.memory.base import Mechanism
from rmt.memory.sparse import SparseAttention


class SparseTransformer(SparseAttention):
    """Child et al. 2019 (arXiv 1904.10509, section 4.3): strided attention.

    Heads of even number see the token itself and the `stride` before it; the others see tokens whose distance is a
    multiple of the stride. So any token is reached in two layers. Of the paper's ways to combine both patterns this is
    that of separate heads; one that has a single head sees both.
    """

    def __init__(self, dim: int, n_memory: int = 64, *, stride: int = 8, **options):
        super().__init__(dim, n_memory, **options)
        self.stride = stride

    def sees(self, looks: Tensor, at: Tensor, heads: Tensor, layer: int) -> Tensor:
        distance = looks - at
        near, strided = distance <= self.stride, distance % self.stride == 0
        return near | strided if self.n_heads == 1 else torch.where(heads % 2 == 0, near, strided)


MECHANISM = Mechanism(
    "sparse", SparseTransformer, fresh={"n_memory": 512, "stride": 32}, keeps_tokens=True, encoder=False
)
