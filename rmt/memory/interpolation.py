"""Position Interpolation: a longer text is read at positions that are squeezed into the range of training."""

from torch import Tensor

from rmt.backbone import Backbone
from rmt.errors import InputError
from rmt.memory.base import Mechanism
from rmt.memory.context import ExactContext
from rmt.memory.transformer_xl import decoder_only


class PositionInterpolation(ExactContext):
    """Chen et al. 2023 (arXiv 2306.15595, equation 3): exact context whose position m is read as m / factor.

    The last n_memory tokens before each segment are read again with it, as exact context does; factor is the length
    read over the length trained at. With factor 1 it is exact context, which beyond the trained length is plain
    extrapolation. It equals transformers' own `rope_type: linear`. For decoders with rotary positions; rows of a
    position table have nothing between them.
    """

    def __init__(self, dim: int, n_memory: int = 128, *, factor: float = 2.0, initial_std: float = 0.0):
        super().__init__(dim, n_memory)
        self.factor = float(factor)
        if not self.factor > 0:
            raise InputError(f"Positions are divided by a factor above 0, not by {factor}.")

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "PositionInterpolation":
        decoder_only(cls, backbone)
        if backbone.n_positions is not None:
            raise InputError("Positions are interpolated between rotary angles, and this model has a table; use llama.")
        return super().fit(backbone, **options)

    def places(self, mask: Tensor) -> Tensor:
        return super().places(mask) / self.factor


MECHANISM = Mechanism(
    "interpolation",
    PositionInterpolation,
    fresh={"n_memory": 512, "factor": 2},
    keeps_tokens=True,
    encoder=False,
    table=False,
)
