"""What a memory mechanism is: a state that crosses segment boundaries and a step that makes the next one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone, Layout, Output
from rmt.text.segments import Segment

State = Any  # a tensor, None, or tuples of those: whatever the cell carries


@dataclass(frozen=True)
class Step:
    """One segment read: the backbone's output and the layout it was read with."""

    output: Output
    layout: Layout

    @property
    def logits(self) -> Tensor:
        """(B, T, V) over the tokens for a language model, (B, C) for a classifier."""
        return self.output.logits


class MemoryCell(nn.Module):
    """Base of all mechanisms. State is passed in and returned, never kept on the module.

    n_memory: memory tokens. n_read and n_write: how many positions of a decoder's augmented input are read memory
    and write memory; an encoder has one block, as long as the longer of them.
    """

    past = False  # whether the state is made of all slots since the start, not of the latest alone
    per_layer = False  # whether a layer needs nothing of the past but its own memory, see `rmt.model.diagonal`

    def __init__(self, dim: int, n_memory: int = 0):
        super().__init__()
        self.dim, self.n_memory = dim, n_memory
        self.n_read = self.n_write = n_memory

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "MemoryCell":
        """A cell with fresh weights for this backbone."""
        return cls(backbone.dim, **options)

    def initial(self, batch: int) -> State:
        """The state before the first segment."""
        raise NotImplementedError

    def step(self, backbone: Backbone, segment: Segment, state: State) -> tuple[Step, State]:
        """Read one segment with what is remembered; return what it gave and what to remember now."""
        raise NotImplementedError

    def slots(self, state: State) -> Tensor:
        """(B, M, D') what the state holds for the pages to draw and a trace to keep; `restore` is its inverse."""
        raise NotImplementedError

    def restore(self, slots: Tensor) -> State:
        """The state from its slots (B, M, D'); where `past`, from those of every moment so far, (B, s + 1, M, D')."""
        return slots

    def put(self, state: State, slots: Tensor) -> State:
        """The state with these as its latest slots (B, M, D')."""
        return self.restore(slots)

    def room(self, causal: bool) -> int:
        """Positions of the augmented input that tokens cannot have: memory, and an encoder's [CLS], [SEP], [SEP]."""
        return self.n_read + self.n_write if causal else max(self.n_read, self.n_write) + 3


@dataclass(frozen=True)
class Mechanism:
    """The record of a mechanism, with which its file ends; its words are in words.py.

    kind: its name in configs and commands. fresh: options for segments of 128 tokens, where no checkpoint says them.
    keeps_tokens: whether it keeps what was read of single tokens, so that n_memory and n_cache count tokens of the
    text. blocks: how many times n_memory positions it takes at most of a decoder's augmented input.
    """

    kind: str
    cell: type[MemoryCell]
    fresh: Mapping[str, int] = field(default_factory=dict)
    keeps_tokens: bool = False
    blocks: int = 2  # read memory and write memory


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply a function to the tensors of one state, or of several states of the same form."""
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*states)
    return type(first)(map_state(function, *parts) for parts in zip(*states, strict=True))


def detach(state: State) -> State:
    """The same values with no gradient behind them: truncated BPTT is this and nothing else."""
    return map_state(Tensor.detach, state)


def choose(rows: Tensor, yes: State, no: State) -> State:
    """Row by row (B,) the one state or the other."""
    return map_state(lambda a, b: torch.where(rows.view(-1, *[1] * (a.dim() - 1)), a, b), yes, no)
