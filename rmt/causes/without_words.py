"""Tokens taken away one at a time: how far the output falls without each, by reading on and not by its gradient."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch

from rmt.causes.attribute import ROWS, Output, Rows
from rmt.errors import InputError
from rmt.intervene import Progress, Reading
from rmt.model import Model


@torch.inference_mode()
def without_words(
    model: Model, reading: Reading, output: Output, positions: Sequence[int], *, progress: Progress | None = None
) -> np.ndarray:
    """How far the output falls without each of these tokens (n,); they come in ascending order.

    A token's embedding becomes the vocabulary's mean, where the gradients of `rmt.causes.attribute.by_token` start, so
    that both measure from one point: here the text is read again. progress(done, total) counts tokens.
    """
    whole = model.backbone.embed(reading.ids)  # (1, Tn, D)
    mean = model.backbone.embed(torch.arange(len(model.backbone.embeddings), device=model.device)).mean(0)
    rows, starts, falls = Rows(model, reading), reading.starts, []
    at_once = 1 if model.cell.past else ROWS
    for s, (start, end) in enumerate(pairwise(starts)):
        here = [p for p in positions if start <= p < end]
        for some in (here[i : i + at_once] for i in range(0, len(here), at_once)):
            embedded = whole.repeat(len(some) + 1, 1, 1)  # the last row is the text as it is
            embedded[range(len(some)), some] = mean
            found = rows(embedded, output, first=s)
            falls += (found[-1] - found[:-1]).tolist()
            if progress:
                progress(len(falls), len(positions))
    return np.array(falls)


def until(reading: Reading, position: int) -> tuple[Reading, Output]:
    """The part of a language model's reading up to where a token is predicted, and that token's logit as the output.

    Raises InputError for the first token, which follows none, and for one that the document does not have.
    """
    if not 1 <= position < reading.ids.shape[1]:
        raise InputError(
            f"A token from 2 to {reading.ids.shape[1]} follows another; there is no such token {position + 1}."
        )
    starts = reading.starts
    s = next(i for i, end in enumerate(starts[1:]) if end >= position)
    n = starts[s + 1]
    loss = None if reading.loss is None else reading.loss[:, :n]
    part = replace(reading, ids=reading.ids[:, :n], segments=reading.segments[: s + 1],
                   states=reading.states[: s + 2], loss=loss)  # fmt: skip
    return part, Output(int(reading.ids[0, position]), position - 1 - starts[s])
