"""Greedy generation after a document."""

import torch
from torch import Tensor

from rmt.errors import InputError
from rmt.model.model import Model
from rmt.model.unroll import unroll
from rmt.text.segments import Segment


@torch.inference_mode()
def generate(model: Model, ids: Tensor, max_new_tokens: int) -> Tensor:
    """The most probable continuation of documents ids (B, T): the new ids (B, max_new_tokens) alone.

    All segments but the last go to memory; what is generated lengthens the last one, which no boundary ends.
    Raises InputError for a classifier, and where the backbone has no positions left.
    """
    if model.backbone.head != "lm":
        raise InputError("A classifier answers and does not generate; use a language model.")
    *read, last = model.split(ids)
    table, longest = model.backbone.n_positions, last.ids.shape[1] + max_new_tokens + model.cell.room(True)
    if table is not None and longest > table:
        raise InputError(f"The backbone has {table} positions and this needs {longest}; generate fewer tokens.")
    state = model.cell.initial(len(ids))
    for _segment, _step, after in unroll(model.cell, model.backbone, read, state=state):
        state = after
    text = last.ids
    for _ in range(max_new_tokens):
        # Write memory stands after the tokens, where a decoder's tokens cannot see it.
        step, _ = model.cell.step(model.backbone, Segment(text), state)
        text = torch.cat([text, step.logits[:, -1:].argmax(-1)], dim=1)
    return text[:, last.ids.shape[1] :]
