"""What training may add to the loss, of the memory alone: slots that are alike, memory that changes for no reason."""

from torch import Tensor
from torch.nn import functional as F


def slot_alikeness(memory: Tensor) -> Tensor:
    """Mean squared cosine between different slots of states (..., M, D): 1 for copies, 0 for orthogonal slots."""
    unit = F.normalize(memory.float(), dim=-1)
    M = unit.shape[-2]  # noqa: N806
    squares = (unit @ unit.transpose(-1, -2)).square().sum((-1, -2)) - M
    return squares.mean() / max(M * (M - 1), 1)


def slot_change(memory: Tensor, rows: Tensor) -> Tensor:
    """Mean of 1 - cosine between a slot and what it is a segment later, over memory (B, S + 1, M, D) of rows (B,)."""
    if not rows.any():
        return memory.new_zeros(())
    memory = memory[rows].float()
    return 1 - F.cosine_similarity(memory[:, 1:], memory[:, :-1], dim=-1).mean()
