"""The protocol between a memory cell and a model: embed -> trunk -> head, and the layout of memory in the input.

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

CHUNK = 64  # positions whose logits are in memory at once when only a loss is needed


@dataclass(frozen=True)
class Layout:
    """The layout of one segment's augmented input: slices of its N positions.

    read: the memory that tokens attend to. write: the positions that become the next state; an encoder has one block
    that is both. answer: the position that an encoder classifies from (its [CLS]).
    """

    tokens: slice
    read: slice | None = None
    write: slice | None = None
    answer: int | None = None


@dataclass(frozen=True)
class Output:
    """A backbone's output for one segment: `hidden` (B, N, D) after the final norm; logits are computed on use.

    rows: the input of the head, (B, T, D) of the tokens in a language model, all of hidden in a classifier.
    head: rows -> logits.
    """

    hidden: Tensor
    rows: Tensor
    head: Callable[[Tensor], Tensor]

    @cached_property
    def logits(self) -> Tensor:
        """Logits (B, T, V) over the tokens of a language model, (B, C) of a classifier."""
        return self.head(self.rows)

    def token_loss(self, labels: Tensor, *, everywhere: bool = False) -> Tensor:
        """Cross-entropy (B, T) of a language model at labels (B, T), NaN where those are -100.

        The head runs at the scored positions alone, `CHUNK` of them at a time. everywhere: all positions are scored, so
        labels need not be inspected, for which the host would wait for the GPU.
        """
        if everywhere:
            return self._losses(self.rows.flatten(0, 1), labels.flatten()).view(labels.shape)
        scored = labels != IGNORE
        losses = self._losses(self.rows[scored], labels[scored])
        return losses.new_full(labels.shape, torch.nan).masked_scatter(scored, losses)

    def _losses(self, rows: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy (P,) at rows (P, D), `CHUNK` of them at a time."""
        parts = zip(rows.split(CHUNK), targets.split(CHUNK), strict=True)
        return torch.cat([F.cross_entropy(wide(self.head(few[None])[0]), t, reduction="none") for few, t in parts])


def wide(logits: Tensor) -> Tensor:
    """Convert logits to float32 or wider, for a softmax over a vocabulary."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


class Backbone(Protocol):
    """A model as cells, and Backbones around a Backbone, use it; `HFBackbone` is the implementation.

    `Recorder` is a Backbone around a Backbone, so a cell does not know whether it is recorded.
    """

    dim: int
    n_layers: int
    n_heads: int
    causal: bool
    head: str  # lm, mlm, classify or none
    recurrent: bool  # whether it is a recurrent net, whose layers are not all softmax attention: no maps are recorded
    fused: bool  # whether attention goes through `rmt.backbone.attention`, which records maps and applies blocks
    masks_all: bool  # whether each layer is given a whole mask, in which memory is not causal
    activation: str  # the name of its layers' activation function
    embeddings: Tensor  # the table of word embeddings (V, D)
    cls_id: int | None
    sep_id: int | None

    n_positions: int | None  # rows of the learned position table, None for rotary positions

    def embed(self, ids: Tensor) -> Tensor: ...  # (B, T) -> (B, T, D)

    def turned_back(self, query: Tensor, key: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]: ...  # see HFBackbone

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
        blocked: Callable | None = None,  # layer -> which queries may not see which keys
        mix: Callable | None = None,  # in place of softmax attention, see `rmt.backbone.mixing`
    ) -> Output: ...


def answering(layout: Layout, mask: Tensor | None) -> int | Tensor:
    """The position of the answer: an encoder's [CLS], a decoder's last token; (B,) where mask (B, N) hides padding."""
    if layout.answer is not None:
        return layout.answer
    if mask is None:
        return layout.tokens.stop - 1
    seen = mask[:, layout.tokens].bool()
    return layout.tokens.start + seen.shape[1] - 1 - seen.flip(1).int().argmax(1)
