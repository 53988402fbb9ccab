"""Reformer: the text is read again, and each token sees those whose queries fall into the same bucket as its own."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.backbone import Backbone
from rmt.errors import InputError
from rmt.memory.base import Mechanism
from rmt.memory.context import ExactContext
from rmt.memory.transformer_xl import decoder_only

ITSELF = -5e4  # the score of a token for itself: it sees itself only where it sees nothing else


class Reformer(ExactContext):
    """The LSH attention of Kitaev et al. 2020 (arXiv 2001.04451, eq. 2-5), in every layer of a stock decoder.

    The state is exact context's. Keys are the queries at length 1 (shared QK), and a query sees the earlier keys that
    share its bucket in one of n_hashes rounds at least: the one of n_buckets directions +-r that it lies nearest to, r
    drawn once and part of the checkpoint. The paper sorts tokens by bucket and cuts them into chunks, which keeps
    memory small and loses what a chunk has no room for; here buckets are masks and lose nothing. Reversible layers are
    left out.
    """

    def __init__(
        self, dim: int, n_memory: int = 128, *, d_head: int, n_buckets: int = 8, n_hashes: int = 2,
        initial_std: float = 0.0,
    ):  # fmt: skip
        super().__init__(dim, n_memory)
        if n_buckets < 2 or n_buckets % 2 or n_hashes < 1:
            raise InputError(f"Buckets come in pairs and rounds are 1 or more, not {n_buckets} and {n_hashes}.")
        self.register_buffer("directions", torch.randn(n_hashes, d_head, n_buckets // 2))

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "Reformer":
        decoder_only(cls, backbone)
        d_head = getattr(backbone.model.config, "head_dim", None) or backbone.dim // backbone.n_heads
        return cls(backbone.dim, **{"d_head": d_head, **options})

    def options(self) -> dict:
        return {"mix": self.attend}

    def attend(
        self, layer: int, query: Tensor, key: Tensor, value: Tensor, seen: Tensor, scale: float
    ) -> tuple[Tensor, Tensor]:
        """One layer's attention: output (B, H, N, d) and weights (B, H, N, N); the layer's own keys are not used."""
        query = query.to(torch.promote_types(query.dtype, torch.float32))
        buckets = self.buckets(query)
        same = (buckets[..., :, None] == buckets[..., None, :]).any(2)
        itself = torch.eye(query.shape[2], dtype=torch.bool, device=query.device)
        scores = (query @ F.normalize(query, dim=-1).transpose(-1, -2) * scale).masked_fill(itself, ITSELF)
        weights = scores.masked_fill(~(seen & (same | itself)), -torch.inf).softmax(-1)
        return weights.to(value.dtype) @ value, weights

    def buckets(self, x: Tensor) -> Tensor:
        """The bucket of each vector x (B, H, N, d) in each round: (B, H, R, N)."""
        along = torch.einsum("bhnd,rdk->bhrnk", x, self.directions.to(x.dtype))
        return torch.cat([along, -along], dim=-1).argmax(-1)


MECHANISM = Mechanism("reformer", Reformer, fresh={"n_memory": 512}, keeps_tokens=True, encoder=False)
