"""Greedy continuation of a document by a language model, for tests that compare it with other programs."""

import torch
from torch import Tensor

from rmt.model import Model
from rmt.text.segments import Segment


@torch.inference_mode()
def continuation(model: Model, ids: Tensor, n_tokens: int) -> Tensor:
    """The most probable n_tokens after documents ids (B, T), as ids (B, n_tokens); they lengthen the last segment."""
    *read, last = model.split(ids)
    state, text = model.cell.initial(len(ids)), last.ids
    for segment in read:
        _, state = model.cell.step(model.backbone, segment, state)
    for _ in range(n_tokens):
        step, _ = model.cell.step(model.backbone, Segment(text), state)
        text = torch.cat([text, step.logits[:, -1:].argmax(-1)], dim=1)
    return text[:, last.ids.shape[1] :]
