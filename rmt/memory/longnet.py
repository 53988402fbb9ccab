"""LongNet: dilated segments, each longer and sparser than the one before."""

from torch import Tensor

from rmt.memory.base import Mechanism
from rmt.memory.sparse import SparseAttention


class LongNet(SparseAttention):
    """Ding et al. 2023 (arXiv 2307.02486, section 3.1): dilated attention.

    The text is cut into segments of w tokens, and in each of them a head h sees every r-th token, beginning at h mod r;
    level i has w = window ratio^i and r = ratio^i, so that the first one is whole. A token that is among its head's
    r-th ones sees those before it. The paper computes each level by itself and adds their outputs, weighed by the sums
    of their softmaxes; here a token seen at several levels counts once.
    """

    def __init__(self, dim: int, n_memory: int = 64, *, window: int = 16, ratio: int = 2, levels: int = 3, **options):
        super().__init__(dim, n_memory, **options)
        self.window, self.ratio, self.levels = window, ratio, levels

    def sees(self, looks: Tensor, at: Tensor, heads: Tensor, layer: int) -> Tensor:
        seen = None
        for level in range(self.levels):
            w, r = self.window * self.ratio**level, self.ratio**level
            together = looks.div(w, rounding_mode="floor") == at.div(w, rounding_mode="floor")
            among = ((looks - heads) % r == 0) & ((at - heads) % r == 0)
            seen = together & among if seen is None else seen | (together & among)
        return seen


MECHANISM = Mechanism(
    "longnet",
    LongNet,
    fresh={"n_memory": 512, "window": 128, "ratio": 2, "levels": 3},
    keeps_tokens=True,
    encoder=False,
)
