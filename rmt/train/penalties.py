"""Penalties on memory that training may add to the loss: on slots that are alike, and on memory that changes."""

from torch import Tensor
from torch.nn import functional as F


def slot_alikeness(memory: Tensor) -> Tensor:
    """Mean squared cosine between different slots of states (..., M, D): 1 for copies, 0 for orthogonal slots."""
    unit = F.normalize(memory.float(), dim=-1)
    M = unit.shape[-2]  # noqa: N806
    squares = (unit @ unit.transpose(-1, -2)).square().sum((-1, -2)) - M
    return squares.mean() / max(M * (M - 1), 1)


def slot_change(memory: Tensor, quiet: Tensor) -> Tensor:
    """Mean of 1 - cosine between a slot and itself a segment later, where quiet (B, S); memory (B, S + 1, M, D)."""
    change = 1 - F.cosine_similarity(memory[:, 1:].float(), memory[:, :-1].float(), dim=-1).mean(-1)  # (B, S)
    return (change * quiet).sum() / quiet.sum().clamp(min=1)
