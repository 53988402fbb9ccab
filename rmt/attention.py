"""Attention with exact maps beside it: the fused kernel computes the output, a capture sees the probabilities."""

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface

# Registered without a mask builder: transformers then hands a ready 4-D mask through and builds none of its own.
NAME = "rmt_thin"


def attention(module, query, key, value, attention_mask, scaling=None, dropout=0.0, is_causal=None, capture=None, **_):
    """Scaled dot-product attention; with `capture`, its probabilities too.

    query (B, H, N, d), key and value (B, H or fewer, N, d), attention_mask None or bool (B, 1, N, N).
    `capture(probabilities)` gets a function (rows, columns) -> (B, H, rows, columns), exact in float32 or better.
    The output is computed the same way with and without a capture, so recording never changes a run.
    """
    causal = attention_mask is None and (is_causal if is_causal is not None else getattr(module, "is_causal", True))
    output = F.scaled_dot_product_attention(
        query, key, value, attn_mask=attention_mask, dropout_p=dropout, is_causal=causal, scale=scaling,
        enable_gqa=key.shape[1] != query.shape[1],
    )  # fmt: skip
    if capture is not None:
        capture(probabilities(query, key, attention_mask, scaling, causal))
    return output.transpose(1, 2).contiguous(), None


def probabilities(query: Tensor, key: Tensor, mask: Tensor | None, scaling: float | None, causal: bool) -> Tensor:
    """softmax(q k^T) as (B, H, N, N), in float32 or wider whatever the model's precision."""
    dtype = torch.promote_types(query.dtype, torch.float32)
    key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scores = query.to(dtype) @ key.to(dtype).transpose(2, 3) * (scaling or query.shape[-1] ** -0.5)
    if causal:
        n = scores.shape[-1]
        mask = torch.ones(n, n, dtype=torch.bool, device=scores.device).tril()
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    return scores.softmax(-1)


AttentionInterface.register(NAME, attention)
