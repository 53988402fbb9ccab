"""Slots read as words: the nearest ones by the model's own head, or by its table of embeddings."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.backbone import wide
from rmt.errors import InputError
from rmt.model.model import Model

NEAREST = 5


@dataclass(frozen=True)
class Readout:
    """The k words nearest to each slot, the nearest first.

    by: "head", a language model's probabilities, or "embeddings", cosines to the embeddings of a model without such a
    head. ids (M, k); score and before (M, k): after the segment and before it; rank (M, k): before the segment, from 0.
    texts: of the ids.
    """

    by: str
    ids: Tensor
    score: Tensor
    before: Tensor
    rank: Tensor
    texts: list[list[str]]


@torch.inference_mode()
def read_slots(model: Model, before, after, *, k: int = NEAREST) -> Readout:
    """Find the words nearest to the slots (M, D) after a segment, and their scores before it.

    A slot is a vector in the place of a token's embedding or last hidden state, so it can be read as one. The words
    near to it do not show what the model uses it for. Raises InputError for slots that are not of the model's width.
    """
    before, after = (torch.tensor(state, device=model.device, dtype=_dtype(model)) for state in (before, after))
    if after.shape[-1] != model.backbone.dim:
        raise InputError("What this mechanism carries is no vector of the model's width, so no head can read it.")
    by = "head" if model.backbone.head == "lm" else "embeddings"
    read = model.backbone.unembed if by == "head" else lambda slots: _cosines(model, slots)
    earlier, later = (_scores(read(slots), by) for slots in (before, after))  # (M, V)
    score, ids = later.topk(min(k, later.shape[1]), dim=-1)
    score_before = earlier.gather(1, ids)
    rank = torch.stack([(earlier > score_before[:, i : i + 1]).sum(1) for i in range(ids.shape[1])], dim=1)
    return Readout(by, ids, score, score_before, rank, [[_text(model, i) for i in row] for row in ids.tolist()])


def _scores(values: Tensor, by: str) -> Tensor:
    return wide(values).softmax(-1) if by == "head" else values


def _cosines(model: Model, slots: Tensor) -> Tensor:
    table = model.backbone.embeddings
    return F.normalize(slots, dim=-1) @ F.normalize(table, dim=-1).T


def _dtype(model: Model) -> torch.dtype:
    return next(model.parameters()).dtype


def _text(model: Model, token: int) -> str:
    return model.tokenizer.decode([token], skip_special_tokens=False) if model.tokenizer else f"[{token}]"
