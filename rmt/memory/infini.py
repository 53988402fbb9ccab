"""Infini-attention: softmax attention within a segment, and a matrix of all earlier segments beside it."""

import torch
from torch import Tensor, nn

from rmt.memory.base import Mechanism
from rmt.memory.linear_attention import LinearAttention, State


class InfiniAttention(LinearAttention):
    """Munkhdalai et al. 2024 (arXiv 2404.07143, eq. 3-10), in every layer of a stock decoder.

    A token reads g A_mem + (1 - g) A_dot: A_dot is attention within its segment, A_mem = phi(q) M / (phi(q) z) with
    phi(x) = elu(x) + 1, and g = sigmoid(beta), one a head and layer. After a segment M grows by phi(k)' v and z by the
    sum of phi(k). While nothing was read, g is 0. As in the paper memory has no positions: its queries and keys are
    turned back where the backbone has rotary ones.

    delta: write only the part of a value that memory does not give already (eq. 9).
    """

    def __init__(self, dim: int, n_memory: int = 0, *, delta: bool = False, initial_std: float = 0.0, **sizes):
        super().__init__(dim, **sizes)
        self.delta = bool(delta)
        self.beta = nn.Parameter(torch.zeros(self.n_layers, self.n_heads))

    def attend(
        self, i: int, query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float, state: State, real, *,
        backbone, positions,
    ) -> tuple[Tensor, Tensor, State]:  # fmt: skip
        matrix, norm = state
        scores = (query @ key.transpose(-1, -2) * scale).masked_fill(~seen, -torch.inf)
        local = scores.softmax(-1)
        query, key = map(self.features, backbone.turned_back(query, key, positions))
        key = key * real
        gate = self.beta[i].sigmoid()[:, None, None] * (norm != 0).any(-1)[..., None, None]  # (B, H, 1, 1)
        gate = gate.expand(-1, -1, query.shape[2], -1)
        output = gate * recall(query, matrix, norm) + (1 - gate) * (local @ value)
        if self.delta:
            value = value - recall(key, matrix, norm)
        weights = torch.cat([gate, (1 - gate) * local], dim=-1)
        return output, weights, (matrix + key.transpose(-1, -2) @ value, norm + key.sum(2))


def recall(features: Tensor, matrix: Tensor, norm: Tensor) -> Tensor:
    """What features (B, H, T, F) read from a matrix and its norm; zeros while it is empty."""
    total = features @ norm[..., None]
    return features @ matrix / torch.where(total == 0, 1.0, total)


MECHANISM = Mechanism("infini", InfiniAttention, encoder=False)
