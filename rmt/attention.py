"""Attention with exact thin maps beside it, at the cost of the fused kernel that computes the output.

P[i, j] = exp(q_i · k_j · scale - LSE_i), and the kernel already knows LSE. So a run's read columns (every query, M
keys) and write rows (M queries, every key) cost two products of M × N and no N × N matrix is ever made. The scores
are computed again in float32 or wider, whatever the model's precision: in bfloat16 the maps are closer to the truth
than those of eager attention.

Families that transformers does not route through its attention registry run their own eager attention; a hook takes
each layer's weights there and lets go of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from threading import get_ident
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface

from rmt.errors import InputError
from rmt.kernels import attend, hide, log_sum_exp

if TYPE_CHECKING:
    from rmt.backbone import Layout

# Registered without a mask builder: transformers then hands a ready 4-D mask through and builds none of its own.
NAME = "rmt_thin"
UNKNOWN = ("softcap", "s_aux", "position_bias")  # they change the probabilities in ways that no kernel here knows


@dataclass(frozen=True)
class Maps:
    """What attention did in one layer of one segment, or with a first axis L in all of them, cut by the layout.

    read (B, H, T, M) tokens to read memory, write (B, H, M, T) write memory to tokens, answer_read (B, H, M) the
    answering position to read memory, mass (B, H, 4) the sums over the blocks read, write, carry, local, which
    together are N. attention: whole maps (B, H, N, N), for a replay.
    """

    read: Tensor
    write: Tensor
    answer_read: Tensor
    mass: Tensor
    attention: Tensor | None = None

    @staticmethod
    def cut(seen: Tensor, writing: Tensor, layout: Layout, answer: int | Tensor) -> Maps:
        """From seen (..., H, M, N), each slot's column of the map lying down, and writing (..., H, M, N) its rows."""
        read = seen[..., layout.tokens].transpose(-1, -2)
        write, carry = writing[..., layout.tokens], writing[..., layout.read or EMPTY]
        mass = torch.stack([block.sum((-1, -2)) for block in (read, write, carry)], dim=-1)
        mass = torch.cat([mass, seen.shape[-1] - mass.sum(-1, keepdim=True)], dim=-1)
        if isinstance(answer, int):
            answer_read = seen[..., answer]
        else:
            index = answer.view(*[1] * (seen.dim() - 4), -1, 1, 1, 1)
            answer_read = seen.take_along_dim(index, dim=-1)[..., 0]
        return Maps(read, write, answer_read, mass)

    def layers(self) -> list[Maps]:
        """One for each, of maps with a first axis L."""
        parts = {f.name: getattr(self, f.name) for f in fields(Maps)}
        n_layers = len(self.mass)
        return [Maps(**{k: part if part is None else part[i] for k, part in parts.items()}) for i in range(n_layers)]


EMPTY = slice(0, 0)  # where a layout has no such memory


@dataclass(frozen=True)
class Scores:
    """Attention before its softmax, as the fused kernel saw it, in one layer (or all, with a first axis L).

    query, key (B, H, N, d); lse (B, H, N); scale a number (or (L, 1, 1, 1, 1)); mask None or bool (B, 1, N, N).
    """

    query: Tensor
    key: Tensor
    lse: Tensor
    scale: float | Tensor
    mask: Tensor | None
    causal: bool

    def thin(self, layout: Layout, answer: int | Tensor) -> Maps:
        read, write = layout.read or EMPTY, layout.write or EMPTY
        writing = self._rows(write).softmax(-1)  # (B, H, M, N)
        # Columns are computed lying down: a product of M × N with long rows takes half the time of one of N × M.
        query, key = self._wide(self.query), self._wide(self.key[..., read, :])
        seen = (key * self.scale) @ query.transpose(-1, -2)
        seen = seen.sub_(self.lse[..., None, :]).exp_()
        if self.mask is not None:
            seen = seen.masked_fill_(~self.mask[..., read].transpose(-1, -2), 0)
        elif self.causal:
            seen = seen.triu_(read.start)
        return Maps.cut(seen, writing, layout, answer)

    def full(self) -> Tensor:
        """(B, H, N, N), every probability."""
        return self._rows(slice(0, self.query.shape[-2])).softmax(-1)

    def _rows(self, rows: slice) -> Tensor:
        query = self._wide(self.query[..., rows, :]) * self.scale
        return hide(query @ self._wide(self.key).transpose(-1, -2), self.mask, self.causal, rows)

    def _wide(self, tensor: Tensor) -> Tensor:
        return tensor.to(torch.promote_types(tensor.dtype, torch.float32))

    @staticmethod
    def stack(layers: list[Scores]) -> Scores | None:
        """All layers as one, so that their maps take a dozen kernels in all; None where their masks differ."""
        first = layers[0]
        if any(s.mask is not first.mask or s.causal != first.causal or s.key.shape != first.key.shape for s in layers):
            return None
        scale = first.lse.new_tensor([s.scale for s in layers]).view(-1, 1, 1, 1, 1)
        stacked = {name: torch.stack([getattr(s, name) for s in layers]) for name in ("query", "key", "lse")}
        return replace(first, scale=scale, **stacked)


@dataclass(frozen=True)
class Weights:
    """Attention as an eager layer hands it out: (B, H, N, N), after its softmax."""

    weights: Tensor

    def thin(self, layout: Layout, answer: int | Tensor) -> Maps:
        weights = self.weights.to(torch.promote_types(self.weights.dtype, torch.float32))
        seen = weights[..., layout.read or EMPTY].transpose(-1, -2).clone()  # a view would keep the whole map alive
        return Maps.cut(seen, weights[..., layout.write or EMPTY, :].clone(), layout, answer)

    def full(self) -> Tensor:
        return self.weights


Capture = Callable[[Scores | Weights], None]


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    sliding_window: int | None = None,
    capture: Capture | None = None,
    **options,
) -> tuple[Tensor, None]:
    """What transformers calls in every layer: scaled dot-product attention (B, N, H, d), and `capture` sees it.

    query (B, H, N, d), key and value (B, H or fewer, N, d), attention_mask None or bool (B, 1, N, N).
    The output is the same to the bit with and without a capture, so recording never changes a run. What is captured
    carries no gradient and knows nothing of dropout.
    """
    for name in UNKNOWN:
        if options.get(name) is not None:
            raise InputError(f"{type(module).__name__} uses {name!r}, which is not supported yet; use another family.")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    mask = _window(attention_mask, sliding_window, causal, query)
    causal = causal and mask is None
    key, value = (_repeat(t, query.shape[1] // t.shape[1]) for t in (key, value))
    if capture is not None and not dropout:
        output, lse = attend(query, key, value, mask, causal, scale)
    else:
        output = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal, scale=scale
        )
        lse = None if capture is None else log_sum_exp(query, key, mask, causal, scale)
    if capture is not None:
        with torch.no_grad(), torch.autocast(query.device.type, enabled=False):
            capture(Scores(query, key, lse, scale, mask, causal))
    return output.transpose(1, 2).contiguous(), None


def _repeat(tensor: Tensor, times: int) -> Tensor:
    """Each head of (B, H, N, d) that many times: the CPU kernel wants as many key as query heads."""
    return tensor if times == 1 else tensor[:, :, None].expand(-1, -1, times, -1, -1).flatten(1, 2)


def _window(mask: Tensor | None, window: int | None, causal: bool, query: Tensor) -> Tensor | None:
    """The mask with everything hidden that is `window` positions away or more, as sliding layers do."""
    n = query.shape[2]
    if window is None or n <= window:
        return mask
    near = torch.ones(n, n, dtype=torch.bool, device=query.device).triu_(1 - window).tril_(0 if causal else window - 1)
    if mask is None:
        return near[None, None]
    mask = mask & near
    itself = torch.eye(n, dtype=torch.bool, device=query.device)
    return mask | (itself & ~mask.any(-1, keepdim=True))  # padding may see nothing else, and no softmax is of nothing


@contextmanager
def watched(trunk: nn.Module, capture: Capture) -> Iterator[None]:
    """While open, `capture` gets the weights of every eager attention layer, which then forgets them.

    So one layer's (B, H, N, N) is alive at a time, not all of them. Other threads' calls are not seen.
    """
    thread = get_ident()

    @torch.no_grad()
    def take(module, args, output):
        if get_ident() != thread:
            return output
        for i, item in enumerate(output if isinstance(output, tuple) else ()):
            if isinstance(item, Tensor) and item.dim() == 4 and item.shape[-1] == item.shape[-2]:
                capture(Weights(item))
                return (*output[:i], None, *output[i + 1 :])
        return output

    layers = [module for module in trunk.modules() if "Attention" in type(module).__name__]
    handles = [layer.register_forward_hook(take) for layer in layers]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


AttentionInterface.register(NAME, attention)
