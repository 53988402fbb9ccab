"""Small models in float64 around every mechanism, and what transformers itself makes of the same ids."""

import torch
from families import VOCABULARY, make

from rmt.backbone import HFBackbone
from rmt.memory import CELLS
from rmt.model import Model

IDS = torch.arange(2 * 29).reshape(2, 29) % (VOCABULARY - 3) + 3
LENGTH = 8  # tokens of a segment


class Rotary(torch.nn.Module):
    """Rotary angles in float64; transformers computes them in float32 whatever the model's precision."""

    def __init__(self, stock):
        super().__init__()
        self.rate = stock.inv_freq.double()

    def forward(self, x, position_ids):
        angles = position_ids[..., None].double() * self.rate
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos(), angles.sin()


def reader(family: str, cell: str, n_memory: int, **options) -> Model:
    backbone = HFBackbone(make(family, dtype=torch.float64), cls_id=1, sep_id=2)
    if hasattr(backbone.trunk, "rotary_emb"):
        backbone.trunk.rotary_emb = Rotary(backbone.trunk.rotary_emb)
    torch.manual_seed(0)
    made = CELLS[cell].fit(backbone, n_memory=n_memory, initial_std=0.5, **options).double()
    return Model(backbone, made, segment_length=LENGTH).eval().requires_grad_(False)


def stock(model: Model, ids=IDS, **options) -> torch.Tensor:
    """What transformers itself makes of the ids, in one piece, by its own attention."""
    model.backbone.model.set_attn_implementation("sdpa")
    try:
        return model.backbone.model(ids, **options).logits
    finally:
        model.backbone.model.set_attn_implementation("rmt_thin")


def close(a, b) -> bool:
    return torch.allclose(a, b, rtol=0, atol=1e-11)
