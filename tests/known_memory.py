"""Shared code for tests on a memory whose every number is known, `planted.placed`: its answers, and what it was given.

That memory adds up the places that a text names, so that what a run knows, when and in which slot, is known without
reading it; with keep=0 it forgets in the next segment. A model that was told nothing answers "hallway".
"""

import numpy as np
from planted import GAIN

from rmt.tasks.base import PLACES

LENGTH = 48


def softmax(*logits: float) -> np.ndarray:
    """Probabilities of all places; a place without a given logit has 0."""
    rest = np.exp(np.array([*logits, *[0.0] * (len(PLACES) - len(logits))]))
    return rest / rest.sum()


SURE = softmax(GAIN, GAIN * 0.1)[0]  # P(answer) once it was told, where the answer is not the blank one
CHANCE = softmax(0, GAIN * 0.1)[0]  # before, where it is not the blank one


class Seen:
    """The ids that a model is given to read, call by call."""

    def __init__(self, model):
        self.ids, embed = [], model.backbone.embed
        model.backbone.embed = lambda ids: self.ids.append(ids) or embed(ids)
