"""Recurrent nets as transformers has them: the base of RWKV, Mamba, Mamba-2 and RecurrentGemma as mechanisms.

Such a model is its own backbone: each layer has a state of one size, and it crosses boundaries as it crosses tokens.
The stock modules and their weights are used; what is written here is how a layer goes on from a state, which stock
models do a token at a time, or not at all (Mamba starts every longer text from zero).
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.backbone import Backbone, Layout, Output
from rmt.errors import InputError
from rmt.memory.base import MemoryCell, Step
from rmt.text.segments import Segment


class RecurrentNet(MemoryCell):
    """A recurrent net read by segments: as many numbers as its layers keep cross a boundary, and nothing else does.

    A subclass says what `sizes` of numbers a layer's state consists of and how a `layer` reads a segment from them. The
    state is a tensor (B, L, W), a slot a layer, with W the most that a layer keeps; it begins as zeros. Segment by
    segment is the same function as the whole text at once, and the gradient crosses boundaries.

    n_memory and initial_std have no effect; they are arguments so that one run's options fit every cell.
    """

    family: ClassVar[str]
    final_norm: ClassVar[str]  # the trunk's norm after its last layer

    def __init__(self, dim: int, n_memory: int = 0, *, n_layers: int, width: int, initial_std: float = 0.0):
        super().__init__(dim, 0)
        self.n_layers, self.width = n_layers, width
        self.register_buffer("like", torch.zeros(()), persistent=False)  # has the device and precision

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "RecurrentNet":
        family = backbone.model.config.model_type
        if family != cls.family:
            raise InputError(
                f"{cls.__name__} is a model of its own and needs a backbone {cls.family!r}, not {family!r}."
            )
        width = max(sum(cls.sizes(layer)) for layer in backbone.layers)
        return cls(backbone.dim, **{"n_layers": backbone.n_layers, "width": width, **options})

    @staticmethod
    def sizes(layer: nn.Module) -> tuple[int, ...]:
        """How many numbers each part of a layer's state has."""
        raise NotImplementedError

    @staticmethod
    def layer(layer: nn.Module, hidden: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Read a segment's hidden (B, T, D) with a layer and the parts of its state (B, size): the same after it."""
        raise NotImplementedError

    @staticmethod
    def enter(trunk: nn.Module, x: Tensor) -> Tensor:
        """What the first layer is given for word embeddings x (B, T, D)."""
        return x

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_layers, self.width)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        if segment.mask is not None and not bool(segment.mask.all()):
            raise InputError(
                f"{type(self).__name__} has no place for padding; give texts of one length, or one a time."
            )
        hidden, after = self.enter(backbone.trunk, backbone.embed(segment.ids)), []
        for i, layer in enumerate(backbone.layers):
            sizes = self.sizes(layer)
            hidden, *parts = self.layer(
                layer, hidden, *state[:, i].to(hidden.dtype).split([*sizes, self.width - sum(sizes)], -1)[:-1]
            )
            after.append(F.pad(torch.cat(parts, dim=-1), (0, self.width - sum(sizes))))
        hidden = getattr(backbone.trunk, self.final_norm)(hidden)
        t = hidden.shape[1]
        layout = Layout(slice(0, t), slice(0, 0), slice(t, t))
        output = Output(
            hidden, hidden, lambda rows: backbone.unembed(rows.flatten(0, -2)).unflatten(0, rows.shape[:-1])
        )
        return Step(output, layout), torch.stack(after, dim=1)

    def slots(self, state: Tensor) -> Tensor:
        return state


def convolve(conv: nn.Conv1d, x: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """A causal convolution a channel over x (B, T, C), whose last inputs before it are `before` (B, C (K - 1)).

    Returns (B, T, C) and the last inputs after it.
    """
    past = before.unflatten(1, (x.shape[2], -1))  # (B, C, K - 1)
    joined = torch.cat([past, x.transpose(1, 2)], dim=2)  # (B, C, K - 1 + T)
    mixed = F.conv1d(joined, conv.weight, conv.bias, groups=conv.groups).transpose(1, 2)
    return mixed, joined[:, :, joined.shape[2] - past.shape[2] :].flatten(1)
