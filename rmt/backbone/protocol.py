"""What a model is to a memory cell: embed -> trunk -> head, and where memory stands in its input.

Letters in shape comments, here and everywhere: B batch, T tokens of a segment, M memory slots,
N augmented length (tokens and memory), L layers, H heads, D width, V vocabulary, C classes, S segments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.text.segments import IGNORE

CHUNK = 64  # positions whose logits are alive at once when a loss is all that is asked


@dataclass(frozen=True)
class Layout:
    """Where memory sits in the augmented input of one segment, as slices of its N positions.

    `read` is what tokens look at, `write` is what becomes the next state; an encoder has one block
    that is both. `answer` is the position an encoder classifies from (its [CLS]).
    """

    tokens: slice
    read: slice | None = None
    write: slice | None = None
    answer: int | None = None


@dataclass(frozen=True)
class Output:
    """What a backbone makes of one segment: `hidden` (B, N, D) after the final norm, logits and loss when asked for.

    rows: what the head reads, (B, T, D) of the tokens in a language model, all of hidden in a classifier.
    head: rows -> logits.
    """

    hidden: Tensor
    rows: Tensor
    head: Callable[[Tensor], Tensor]

    @cached_property
    def logits(self) -> Tensor:
        """(B, T, V) over the tokens for a language model, (B, C) for a classifier."""
        return self.head(self.rows)

    def token_loss(self, labels: Tensor, *, everywhere: bool = False) -> Tensor:
        """Cross-entropy (B, T) of a language model at labels (B, T), nan where those are -100.

        The head runs at the positions that are scored, `CHUNK` of them at a time. everywhere: that is all of them,
        known without looking at labels, for which a host would wait for its device.
        """
        if everywhere:
            return self._losses(self.rows.flatten(0, 1), labels.flatten()).view(labels.shape)
        scored = labels != IGNORE
        losses = self._losses(self.rows[scored], labels[scored])
        return losses.new_full(labels.shape, torch.nan).masked_scatter(scored, losses)

    def _losses(self, rows: Tensor, targets: Tensor) -> Tensor:
        """(P,) at rows (P, D), some of them at a time."""
        parts = zip(rows.split(CHUNK), targets.split(CHUNK), strict=True)
        return torch.cat([F.cross_entropy(wide(self.head(few[None])[0]), t, reduction="none") for few, t in parts])


def wide(logits: Tensor) -> Tensor:
    """In float32 or wider: what a softmax over a vocabulary needs."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


class Backbone(Protocol):
    """What cells, and Backbones around a Backbone, need of a model; see `HFBackbone`, which is one.

    `Recorder` is one around another, so a cell never knows it is watched.
    """

    dim: int
    n_layers: int
    n_heads: int
    causal: bool
    head: str  # lm, mlm, classify or none
    fused: bool  # whether attention goes through `rmt.backbone.attention`, where maps and blocks come in
    masks_all: bool  # whether each layer is given a whole mask, in which memory is not causal
    activation: str  # what its layers call their activation function
    embeddings: Tensor  # the table of word embeddings (V, D)
    cls_id: int | None
    sep_id: int | None

    n_positions: int | None  # rows of the learned position table, None for rotary positions

    def embed(self, ids: Tensor) -> Tensor: ...  # (B, T) -> (B, T, D)

    def unembed(self, rows: Tensor) -> Tensor: ...  # (P, D) after the final norm -> (P, V), in a language model

    def answers(self, hidden: Tensor, places: Tensor) -> Tensor: ...  # (B, N, D), (B, Q) -> (B, Q, C), in a classifier

    def around_layers(self, before: Callable, after: Callable | None = None, *, first: int = 0): ...  # see HFBackbone

    def __call__(
        self,
        x: Tensor,
        *,
        layout: Layout,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        window: int | None = None,
        capture: Callable | None = None,  # called with every layer's attention, in order
        blocked: Callable | None = None,  # which queries of a layer may not see which keys
    ) -> Output: ...


def answering(layout: Layout, mask: Tensor | None) -> int | Tensor:
    """Where the answer is read: an encoder's [CLS], a decoder's last token; (B,) where mask (B, N) hides padding."""
    if layout.answer is not None:
        return layout.answer
    if mask is None:
        return layout.tokens.stop - 1
    seen = mask[:, layout.tokens].bool()
    return layout.tokens.start + seen.shape[1] - 1 - seen.flip(1).int().argmax(1)
