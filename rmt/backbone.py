"""The one seam to transformers: a stock model seen as embed -> trunk -> head.

Letters in shape comments, here and everywhere: B batch, T tokens of a segment, M memory slots,
N augmented length (tokens and memory), L layers, H heads, D width, V vocabulary, C classes, S segments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from rmt import attention
from rmt.errors import InputError


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
    """What a backbone makes of one segment: `hidden` (B, N, D) after the final norm, `logits` when asked for."""

    hidden: Tensor
    head: Callable[[], Tensor]

    @cached_property
    def logits(self) -> Tensor:
        return self.head()


class Backbone(Protocol):
    """What a cell needs of a model. `Recorder` is one around another, so a cell never knows it is watched."""

    dim: int
    n_layers: int
    n_heads: int
    causal: bool
    cls_id: int | None
    sep_id: int | None

    def embed(self, ids: Tensor) -> Tensor: ...  # (B, T) -> (B, T, D)

    def __call__(self, x: Tensor, *, layout: Layout, mask: Tensor | None = None) -> Output: ...


class HFBackbone(nn.Module):
    """A stock transformers model with its head: causal language model or sequence classifier.

    Calls go through `rmt.attention`, whose plain path is the fused kernel. The model itself is not
    changed. Raises InputError for a model without a head we know how to read.
    """

    def __init__(self, model: nn.Module, *, cls_id: int | None = None, sep_id: int | None = None):
        super().__init__()
        config = model.config
        self.model = model
        self.dim = model.get_input_embeddings().embedding_dim
        self.n_layers = config.num_hidden_layers
        self.n_heads = config.num_attention_heads
        self.head = _head_kind(model)
        self.causal = not _is_encoder(model)
        self.cls_id, self.sep_id = cls_id, sep_id
        model.set_attn_implementation(attention.NAME)

    @property
    def trunk(self) -> nn.Module:
        return self.model.base_model

    def embed(self, ids: Tensor) -> Tensor:
        return self.model.get_input_embeddings()(ids)

    def forward(self, x: Tensor, *, layout: Layout, mask: Tensor | None = None, capture=None) -> Output:
        """Run the trunk over augmented embeddings x (B, N, D).

        mask: (B, N), true where a position may be seen; None means all of them, which keeps the fused kernel.
        capture: called once a layer by `rmt.attention` (see there); `Recorder` passes one.
        """
        B, N, _ = x.shape
        kwargs = {} if capture is None else {"capture": capture}
        if mask is not None:
            kwargs["attention_mask"] = self._widen(mask.bool(), N)
        if self.causal:
            kwargs["use_cache"] = False
            kwargs["position_ids"] = torch.arange(N, device=x.device).expand(B, N)
        hidden = self.trunk(inputs_embeds=x, **kwargs).last_hidden_state  # (B, N, D)
        return Output(hidden, lambda: self._logits(hidden, layout, mask))

    def _widen(self, mask: Tensor, n: int) -> Tensor:
        """(B, N) -> (B, 1, N, N), true where a query may see a key.

        A row that may see nothing would be a softmax over nothing, so every position sees itself.
        """
        allowed = mask[:, None, None, :].expand(-1, 1, n, n)
        if self.causal:
            allowed = allowed & torch.ones(n, n, dtype=torch.bool, device=mask.device).tril()
        return allowed | torch.eye(n, dtype=torch.bool, device=mask.device)

    def _logits(self, hidden: Tensor, layout: Layout, mask: Tensor | None) -> Tensor:
        """(B, T, V) over the tokens of a language model; (B, C) at the answering position of a classifier."""
        if self.head == "lm":
            return self.model.get_output_embeddings()(hidden[:, layout.tokens])
        if not self.causal:
            pooled = self.trunk.pooler(hidden)  # BERT's pooler reads position 0, our layout.answer
            return self.model.classifier(self.model.dropout(pooled))
        last = torch.full((len(hidden),), layout.tokens.stop - 1, device=hidden.device)
        if mask is not None:
            seen = mask[:, layout.tokens].bool()
            last = layout.tokens.start + seen.shape[1] - 1 - seen.flip(1).int().argmax(1)
        return self.model.score(hidden[torch.arange(len(hidden), device=hidden.device), last])


def _is_encoder(model: nn.Module) -> bool:
    return not getattr(model.config, "is_decoder", False) and hasattr(model.base_model, "encoder")


def _head_kind(model: nn.Module) -> str:
    if _is_encoder(model) and hasattr(model, "classifier") and getattr(model.base_model, "pooler", None) is not None:
        return "classify"
    if hasattr(model, "score"):
        return "classify"
    if model.get_output_embeddings() is not None:
        return "lm"
    raise InputError(
        f"{type(model).__name__} has no head this program can read; use a causal language model "
        "or a sequence classifier (…ForCausalLM, …ForSequenceClassification)."
    )
