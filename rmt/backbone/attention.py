"""Fused attention with exact thin maps at little extra cost.

P[i, j] = exp(q_i · k_j · scale - LSE_i), and the fused kernel computes LSE anyway. So the read columns (every query, M
keys) and write rows (M queries, every key) cost two products of M × N, and no N × N matrix is made. The scores are
computed again in float32 or wider, whatever the model's precision: in bfloat16 these maps are more exact than those of
eager attention.

Families that transformers does not route through its attention registry run their own eager attention; there a hook
takes each layer's weights, cuts the maps from them and frees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from threading import get_ident

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface

from rmt.backbone.kernels import attend, hide, log_sum_exp
from rmt.backbone.mixing import MIXING, Mixed, mixed
from rmt.backbone.protocol import Backbone, Layout
from rmt.errors import InputError

# Registered without a mask builder: transformers then passes a ready 4-D mask on and builds none of its own.
NAME = "rmt_thin"
UNKNOWN = ("softcap", "s_aux", "position_bias")  # options that change the probabilities and that no kernel here has
# The `capture` and `blocked` of the running call, for families that do not pass such options on to their layers.
RUNNING: ContextVar[tuple] = ContextVar("running", default=(None, None))


@dataclass(frozen=True)
class Maps:
    """The thin attention maps of all layers of one segment; `layers` lists them layer by layer.

    read (L, B, H, T, R): tokens to read memory. write (L, B, H, W, T): write memory to tokens. answer_read
    (L, B, H, R): the answering position to read memory. mass (L, B, H, 4): sums over the blocks read, write, carry and
    local, together N. attention: whole maps (L, B, H, N, N), for a replay.
    """

    read: Tensor
    write: Tensor
    answer_read: Tensor
    mass: Tensor
    attention: Tensor | None = None

    @staticmethod
    def cut(seen: Tensor, writing: Tensor, layout: Layout, answer: int | Tensor) -> Maps:
        """Cut maps from seen (L, B, H, R, N), the transposed read columns, and writing (L, B, H, W, N), write rows."""
        read = seen[..., layout.tokens].transpose(-1, -2)
        write, carry = writing[..., layout.tokens], writing[..., layout.read or EMPTY]
        mass = torch.stack([block.sum((-1, -2)) for block in (read, write, carry)], dim=-1)
        mass = torch.cat([mass, seen.shape[-1] - mass.sum(-1, keepdim=True)], dim=-1)
        if isinstance(answer, int):
            answer_read = seen[..., answer]
        else:
            answer_read = seen.take_along_dim(answer.view(1, -1, 1, 1, 1), dim=-1)[..., 0]
        return Maps(read, write, answer_read, mass)

    def layers(self) -> list[Maps]:
        """The maps of each layer, without the first axis."""
        parts = {f.name: getattr(self, f.name) for f in fields(Maps)}
        n_layers = len(self.mass)
        return [Maps(**{k: part if part is None else part[i] for k, part in parts.items()}) for i in range(n_layers)]


EMPTY = slice(0, 0)  # for a layout without read or write memory


@dataclass(frozen=True)
class Scores:
    """The input of one layer's softmax, as the fused kernel got it.

    query, key (B, H, N, d); lse (B, H, N); mask None or bool (B, 1, N, N).
    """

    query: Tensor
    key: Tensor
    lse: Tensor
    scale: float
    mask: Tensor | None
    causal: bool

    def parts(self, layout: Layout) -> tuple[Tensor, Tensor]:
        """The parts of a layer that thin maps need: read columns, transposed (B, H, R, N), and write rows (B, H, W, N).

        The columns are log probabilities, the rows scores; in both the mask is applied, causality is not yet. The
        columns are transposed because a product of R × N with long rows takes half the time of one of N × R.
        """
        read, write = layout.read or EMPTY, layout.write or EMPTY
        query, key, lse = (_wide(t).flatten(0, -3) for t in (self.query, self.key, self.lse[..., None, :]))
        columns = torch.baddbmm(lse, key[:, read], query.transpose(1, 2), beta=-1, alpha=self.scale)
        rows = torch.baddbmm(lse[..., :1], query[:, write], key.transpose(1, 2), beta=0, alpha=self.scale)
        columns, rows = (t.unflatten(0, self.query.shape[:-2]) for t in (columns, rows))
        if self.mask is not None:
            columns.masked_fill_(~self.mask[..., read].transpose(-1, -2), -torch.inf)
            hide(rows, self.mask, False, write)
        return columns, rows

    def full(self) -> Tensor:
        """The whole attention map (B, H, N, N); a key that is no position has a share of each row and no column."""
        scores = _wide(self.query) @ _wide(self.key).transpose(-1, -2) * self.scale
        return hide(scores, self.mask, self.causal, slice(0, scores.shape[-2])).softmax(-1)[..., : scores.shape[-2]]


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def thin(layers: list[Scores] | list[tuple[Tensor, Tensor]], backbone: Backbone, layout: Layout, answer) -> Maps:
    """Compute the thin maps of all layers at once, from their parts or from their scores.

    Parts are small, so on a CPU those are kept. On a GPU, where launching a kernel can take longer than running it,
    scores are kept: the products of all layers are then two kernels. answer: its position, or positions (B,).
    """
    if isinstance(layers[0], Scores) and all(s.mask is layers[0].mask for s in layers):
        columns, rows = _stack(layers).parts(layout)
    else:
        parts = [s.parts(layout) if isinstance(s, Scores) else s for s in layers]
        columns, rows = (_wide(torch.stack(part)) for part in zip(*parts, strict=True))
    if not backbone.fused:  # these are probabilities already
        return Maps.cut(columns, rows, layout, answer)
    seen = columns.exp_()  # (L, B, H, R, N)
    if backbone.causal and not backbone.masks_all:
        seen = seen.triu_((layout.read or EMPTY).start)
        rows = hide(rows, None, True, layout.write or EMPTY)
    return Maps.cut(seen, rows.softmax(-1), layout, answer)


def _stack(layers: list[Scores]) -> Scores:
    """Stack the scores of all layers along a first axis L."""
    query, key, lse = (torch.stack([getattr(s, name) for s in layers]) for name in ("query", "key", "lse"))
    scales = [s.scale for s in layers]
    if len(set(scales)) > 1:  # GPT-2 with inverse layer scaling
        query = _wide(query) * torch.stack([lse.new_full((1, 1, 1, 1), scale) for scale in scales])
        scales = [1.0]
    return replace(layers[0], query=query, key=key, lse=lse, scale=scales[0])


@dataclass(frozen=True)
class Weights:
    """One layer's attention (B, H, N, N) after the softmax, as eager attention returns it."""

    weights: Tensor

    def parts(self, layout: Layout) -> tuple[Tensor, Tensor]:
        """The read columns, transposed (B, H, R, N), and the write rows (B, H, W, N), copied from the whole map."""
        weights = self.weights
        columns, rows = weights[..., layout.read or EMPTY].transpose(-1, -2), weights[..., layout.write or EMPTY, :]
        return columns.clone(), rows.clone()

    def full(self) -> Tensor:
        """The whole attention map (B, H, N, N)."""
        return self.weights


Capture = Callable[[Scores | Weights | Mixed], None]


@contextmanager
def running(capture: Capture | None, blocked) -> Iterator[None]:
    """Context in which `attention` uses this capture and blocked, also where layers do not pass such options on."""
    token = RUNNING.set((capture, blocked))
    try:
        yield
    finally:
        RUNNING.reset(token)


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
    blocked: Callable[[int], Tensor | None] | None = None,
    kernel: Callable | None = None,
    **options,
) -> tuple[Tensor, None]:
    """The attention function that transformers calls in every layer: output (B, N, H, d), passed to `capture`, too.

    query (B, H, N, d), key and value (B, H or fewer, N, d), attention_mask None or bool (B, 1, N, N).
    The output is the same to the bit with and without a capture, so recording never changes a run. What is captured
    carries no gradient and is without dropout.
    blocked: layer -> bool (1 or H, N, N) or (B, 1 or H, N, N), true where a query must not see a key, or None; of a
    memory cell or an intervention.
    kernel: a function that computes the output in place of the public one, see `rmt.backbone.layerwise`.
    """
    for name in UNKNOWN:
        if options.get(name) is not None:
            raise InputError(
                f"{type(module).__name__} uses {name!r}, which the fused kernel here does not know; give it to load() "
                "or wrap(), which then run transformers' own attention."
            )
    capture, blocked = (
        given if given is not None else run for given, run in zip((capture, blocked), RUNNING.get(), strict=True)
    )
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    mask = _window(attention_mask, sliding_window, causal, query)
    if blocked is not None:
        mask = _without(mask, causal, blocked(module.layer_idx))
    causal = causal and mask is None
    key, value = (_repeat(t, query.shape[1] // t.shape[1]) for t in (key, value))
    if (mix := MIXING.get()) is not None:
        return mixed(mix, module.layer_idx, query, key, value, mask, causal, scale, capture), None
    if kernel is not None:
        return kernel(query, key, value, mask, causal, scale).transpose(1, 2).contiguous(), None
    if capture is not None and not dropout:
        output, lse = attend(query, key, value, mask, causal, scale)
    else:
        output = _public(query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal, scale=scale)
        lse = None if capture is None else log_sum_exp(query, key, mask, causal, scale)
    if capture is not None:
        with torch.no_grad(), torch.autocast(query.device.type, enabled=False):
            capture(Scores(query, key, lse, scale, mask, causal))
    return output.transpose(1, 2).contiguous(), None


def _public(query: Tensor, key: Tensor, value: Tensor, **options) -> Tensor:
    """Attention by torch's public function; on a CPU in float32 where it is trained in half precision.

    There the kernel's backward pass takes six times as long in bfloat16.
    """
    half = value.dtype == torch.bfloat16  # queries and keys may have been widened by their rotation
    if query.device.type != "cpu" or not half or not torch.is_grad_enabled():
        return F.scaled_dot_product_attention(query, key, value, **options)
    with torch.autocast("cpu", enabled=False):
        output = F.scaled_dot_product_attention(query.float(), key.float(), value.float(), **options)
    return output.to(value.dtype)


def _repeat(tensor: Tensor, times: int) -> Tensor:
    """Repeat each head of (B, H, N, d): the CPU kernel needs as many key heads as query heads."""
    return tensor if times == 1 else tensor[:, :, None].expand(-1, -1, times, -1, -1).flatten(1, 2)


def _window(mask: Tensor | None, window: int | None, causal: bool, query: Tensor) -> Tensor | None:
    """Mask positions that are `window` or more away, as layers with a sliding window do."""
    n = query.shape[2]
    if window is None or n <= window:
        return mask
    near = torch.ones(n, n, dtype=torch.bool, device=query.device).triu_(1 - window).tril_(0 if causal else window - 1)
    if mask is None:
        return near[None, None]
    mask = mask & near
    itself = torch.eye(n, dtype=torch.bool, device=query.device)
    return mask | (itself & ~mask.any(-1, keepdim=True))  # padding that sees nothing sees itself: no empty softmax


def _without(mask: Tensor | None, causal: bool, blocked: Tensor | None) -> Tensor | None:
    """Take blocked pairs out of the mask: (B or 1, H or 1, N, N); the same mask where nothing is blocked."""
    if blocked is None:
        return mask
    seen = ~(blocked if blocked.dim() == 4 else blocked[None])
    if mask is not None:
        return F.pad(seen, (0, mask.shape[-1] - seen.shape[-1]), value=True) & mask  # a null key stays
    return seen.tril() if causal else seen


@contextmanager
def watched(trunk: nn.Module, capture: Capture) -> Iterator[None]:
    """Context in which `capture` gets the weights of every eager attention layer, which are then dropped.

    So only one layer's (B, H, N, N) is in memory at a time. Calls of other threads are not captured.
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
