"""First weights for benchmarks.recall: a decoder that can find in its own segment what followed a token before."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.backbone.families import backbone_config
from rmt.model import Model

SIZES = {"layers": 3, "width": 64, "heads": 4, "vocabulary": 320, "positions": 512, "inner": 3, "tied": True}
ROPE = 100.0  # base of the rotary angles, for texts as short as these
SPREAD = 0.02  # of random weights
CONSTANT = 0.1  # the first number of every embedding, so that a head can look one token back whatever stands there
BACK, WRITE, MATCH, COPY = (
    4.0,
    0.3,
    20.0,
    10.0,
)  # weights of the head that looks back, of the one that matches, and of what it copies


def around() -> dict:
    """The decoder's {"head", "config"}."""
    spec = backbone_config("llama", **SIZES)
    spec["config"] |= {"rope_parameters": {"rope_type": "default", "rope_theta": ROPE}, "initializer_range": SPREAD}
    return spec


@torch.no_grad()
def induction_head(model: Model, seed: int) -> Model:
    """Set two heads of a model's Llama by hand to an induction head (Olsson et al. 2022, arXiv 2209.11895).

    Head 0 of the first layer looks one token back and adds what stands there in directions of its own; head 0 of the
    second looks for what it has itself in those directions and copies the token found. To form one takes most of a
    training as short as these, and says nothing of what a memory carries.
    """
    llama = model.backbone.model.model
    embeddings, size = llama.embed_tokens.weight, SIZES["width"] // SIZES["heads"]
    generator = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(SIZES["width"] - 1, SIZES["width"] - 1, generator=generator))[0]
    told, before, copied = (_rows(part) for part in basis.split(size)[:3])  # (size, D) each, orthogonal to the constant
    embeddings[:, 1:] = (
        F.normalize(embeddings[:, 1:], dim=1) * SPREAD * (SIZES["width"] - 1) ** 0.5
    )  # all of one length
    embeddings[:, 0] = CONSTANT
    first, second = (layer.self_attn for layer in llama.layers[:2])
    angles = ROPE ** (-2 * torch.arange(size // 2) / size)
    first.q_proj.weight[:size] = 0
    first.k_proj.weight[:size] = 0
    first.q_proj.weight[: size // 2, 0] = BACK
    first.k_proj.weight[:size, 0] = BACK * torch.cat([angles.cos(), angles.sin()])  # largest one position apart
    first.v_proj.weight[:size], first.o_proj.weight[:, :size] = told, WRITE * before.T
    second.q_proj.weight[:size], second.k_proj.weight[:size] = MATCH * told, before
    second.v_proj.weight[:size], second.o_proj.weight[:, :size] = copied, COPY * copied.T
    return model


def _rows(part: Tensor) -> Tensor:
    return torch.cat([torch.zeros(len(part), 1), part], dim=1)
