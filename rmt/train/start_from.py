"""Beginning a training on stories with the weights of another model, which may be smaller."""

import logging
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from rmt.errors import InputError
from rmt.model import Model

LOG = logging.getLogger(__name__)
ADDS = ("o_proj", "down_proj", "c_proj")  # what a layer of llama or gpt2 adds comes out of these


def start_from(other: Model, model: Model, classes: Sequence[str], name: str) -> None:
    """Copy the weights of another model of this shape; slots and classes that it does not have keep their fresh rows.

    Layers that it does not have come after its own and change nothing at first, and gates that it does not have are
    nearly open. Slots that the model has no room for are left behind, with a warning. classes: of the model that
    begins. Raises InputError, which calls the other one by its name, where the shapes do not fit.
    """
    weights, fresh = dict(other.state_dict()), model.state_dict()
    head, slots = next(key for key in fresh if key.endswith("score.weight")), "cell.memory"
    try:
        rows = fresh[head].clone()
        for i, known in enumerate(classes):
            if known in other.about.classes:
                rows[i] = weights[head][other.about.classes.index(known)]
        gates = {key: fresh[key] for key in fresh if key.startswith("cell.gate.")}
        taken = {**gates, **_new_layers(fresh, other.backbone.n_layers), **weights, head: rows}
        if slots in weights and slots in fresh:
            n, has = len(fresh[slots]), len(weights[slots])
            if n < has:
                LOG.warning("%s has %d memory slots: %d are lost; --n-memory %d keeps all.", name, has, has - n, has)
            taken[slots] = torch.cat([weights[slots][:n], fresh[slots][has:]])
        model.load_state_dict(taken)
    except (KeyError, RuntimeError):
        raise InputError(
            f"{name} is of another shape; give the backbone, width, heads and memory it has, and as many layers or "
            "more."
        ) from None


def _new_layers(weights: dict[str, Tensor], first: int) -> dict[str, Tensor]:
    """The weights of layers from number `first` on, with zeros where a layer adds to what it is given."""
    found = {key: re.search(r"\.(?:layers|h)\.(\d+)\..*?(\w+)\.\w+$", key) for key in weights}
    return {
        key: torch.zeros_like(weights[key]) if match[2] in ADDS else weights[key]
        for key, match in found.items()
        if match and int(match[1]) >= first
    }
