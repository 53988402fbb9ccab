"""Compressive Transformer: positions that leave the cache are compressed into fewer instead of being dropped."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.backbone import Backbone
from rmt.errors import InputError
from rmt.memory.base import Mechanism, Step
from rmt.memory.transformer_xl import TransformerXL, read_beside
from rmt.text.segments import Segment

State = tuple[Tensor, Tensor]


class CompressiveTransformer(TransformerXL):
    """Rae et al. 2019 (arXiv 1911.05507): before each layer's tokens stand [compressed | cache].

    Positions that leave the cache of n_cache are compressed `rate` to one, and the latest n_memory of those are kept.
    The state is (compressed (B, L, n_memory, D), cache (B, L, n_cache, D)); empty positions are zero. As slots, one
    a position, compressed first: (B, n_memory + n_cache, L D). With rate 1 this is Transformer-XL with both as one.

    compress: "mean", or "conv" for a learned convolution a layer, which begins as the mean. No gradient enters what
    is compressed, and the convolution learns from the loss of the segments that read its output, as far as BPTT
    goes. The paper's attention-reconstruction loss is left out. Not compared with compressive-transformer-pytorch:
    its attention has a learned table of positions that no stock decoder has; only its convolution is alike.
    """

    def __init__(
        self,
        dim: int,
        n_memory: int = 32,
        *,
        n_layers: int,
        n_cache: int = 64,
        rate: int = 4,
        compress: str = "mean",
        initial_std: float = 0.0,
    ):
        super().__init__(dim, n_memory, n_layers=n_layers)
        if rate < 1 or compress not in ("mean", "conv"):
            raise InputError(f"Compressing is by mean or conv, not {compress!r}, and {rate} to 1 must be 1 or more.")
        self.n_cache, self.rate, self.n_read = n_cache, rate, n_memory + n_cache
        self.conv = None
        if compress == "conv":
            self.conv = nn.ModuleList(nn.Conv1d(dim, dim, rate, stride=rate) for _ in range(n_layers))
            for layer in self.conv:
                nn.init.zeros_(layer.bias)
                layer.weight.data.copy_(torch.eye(dim)[..., None].expand(-1, -1, rate) / rate)

    def initial(self, batch: int) -> State:
        return tuple(self.like.new_zeros(batch, self.n_layers, n, self.dim) for n in (self.n_memory, self.n_cache))

    def step(self, backbone: Backbone, segment: Segment, state: State) -> tuple[Step, State]:
        memory, cache = state
        step, given = read_beside(backbone, segment, torch.cat(state, dim=2))
        old, cache = torch.cat([cache, given], dim=2).detach().tensor_split([given.shape[2]], dim=2)
        pressed = self.press(old)
        return step, (torch.cat([memory, pressed], dim=2)[:, :, pressed.shape[2] :], cache)

    def press(self, old: Tensor) -> Tensor:
        """Compress (B, L, K, D) to (B, L, K / rate, D), rounded up; empty positions do not count, all empty stay so."""
        old = F.pad(old, (0, 0, 0, -old.shape[2] % self.rate)).unflatten(2, (-1, self.rate))  # (B, L, K', rate, D)
        count = (old != 0).any(-1, keepdim=True).sum(3, keepdim=True).to(old.dtype)  # (B, L, K', 1, 1)
        old = old * (self.rate / count.clamp(min=1))
        if self.conv is None:
            return old.mean(3)
        rows = old.flatten(2, 3).transpose(2, 3)  # (B, L, D, K)
        pressed = torch.stack([conv(rows[:, i]) for i, conv in enumerate(self.conv)], dim=1).transpose(2, 3)
        return pressed * (count[..., 0] > 0)

    def slots(self, state: State) -> Tensor:
        return super().slots(torch.cat(state, dim=2))

    def restore(self, slots: Tensor) -> State:
        return super().restore(slots).tensor_split([self.n_memory], dim=2)


MECHANISM = Mechanism(
    "compressive", CompressiveTransformer, fresh={"n_memory": 64, "n_cache": 64, "rate": 4}, keeps_tokens=True,
    encoder=False, gradient=False,
)  # fmt: skip
