"""The base of memory mechanisms: a state that crosses segment boundaries and a step that makes the next state."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone, Layout, Output
from rmt.text.segments import Segment

State = Any  # a tensor, None, or tuples of those: what the cell carries across a boundary


@dataclass(frozen=True)
class Step:
    """The result of reading one segment: the backbone's output and the layout of its input."""

    output: Output
    layout: Layout

    @property
    def logits(self) -> Tensor:
        """Logits (B, T, V) over the tokens of a language model, (B, C) of a classifier."""
        return self.output.logits


class MemoryCell(nn.Module):
    """The base class of all mechanisms. State is passed in and returned, never stored on the module.

    n_memory: memory tokens. n_read and n_write: how many positions of a decoder's augmented input are read memory
    and write memory; an encoder has one block, as long as the longer of them.
    """

    past = False  # whether the state holds the slots of all moments so far, not of the latest alone
    per_layer = False  # whether a layer depends on the past through its own memory alone, see `rmt.model.diagonal`

    def __init__(self, dim: int, n_memory: int = 0):
        super().__init__()
        self.dim, self.n_memory = dim, n_memory
        self.n_read = self.n_write = n_memory

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "MemoryCell":
        """Make a cell with fresh weights for this backbone."""
        return cls(backbone.dim, **options)

    def initial(self, batch: int) -> State:
        """The state before the first segment."""
        raise NotImplementedError

    def step(self, backbone: Backbone, segment: Segment, state: State) -> tuple[Step, State]:
        """Read one segment with a state: (step, next state)."""
        raise NotImplementedError

    def slots(self, state: State) -> Tensor:
        """The state as slots (B, M, D'), which traces store and pages draw; `restore` is the inverse."""
        raise NotImplementedError

    def restore(self, slots: Tensor) -> State:
        """The state from its slots (B, M, D'); where `past`, from those of all moments so far (B, s + 1, M, D')."""
        return slots

    def put(self, state: State, slots: Tensor) -> State:
        """The state with its latest slots replaced by these (B, M, D')."""
        return self.restore(slots)

    def blocks(self, state: State) -> Tensor | None:
        """Which block of earlier text each position of read memory belongs to, (B, R): 1 for the latest segment, 2 for
        the one before, 0 for none. None where memory is not read by blocks."""
        return None

    def room(self, causal: bool) -> int:
        """The number of positions that memory takes of the augmented input, with an encoder's [CLS], [SEP], [SEP]."""
        return self.n_read + self.n_write if causal else max(self.n_read, self.n_write) + 3


@dataclass(frozen=True)
class Mechanism:
    """The record of a mechanism, at the end of its file; its words are in words.py.

    kind: its name in configs and commands. fresh: options for segments of 128 tokens, where there is no checkpoint.
    keeps_tokens: whether it stores vectors of single tokens, so that n_memory and n_cache count tokens of the text.
    blocks: the blocks of n_memory positions that it takes at most in a decoder's augmented input.
    encoder: whether it has a form for an encoder. backbone: the family of its own backbone, where it is a model of its
    own (a recurrent net), "" where it goes around any decoder. carries: whether anything crosses a boundary.
    gradient: whether its gradient crosses a boundary. classifier: whether it has a form for a classifier.
    table: whether it has a form for a table of positions.
    """

    kind: str
    cell: type[MemoryCell]
    fresh: Mapping[str, int] = field(default_factory=dict)
    keeps_tokens: bool = False
    blocks: int = 2  # read memory and write memory
    encoder: bool = True
    backbone: str = ""
    carries: bool = True
    gradient: bool = True
    classifier: bool = True
    table: bool = True


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply a function to the tensors of one state, or of several states of the same form."""
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*states)
    return type(first)(map_state(function, *parts) for parts in zip(*states, strict=True))


def detach(state: State) -> State:
    """Detach a state from the gradient graph: this is truncated BPTT."""
    return map_state(Tensor.detach, state)


def choose(rows: Tensor, yes: State, no: State) -> State:
    """Choose between two states row by row: `yes` where rows (B,) is true, else `no`."""
    return map_state(lambda a, b: torch.where(rows.view(-1, *[1] * (a.dim() - 1)), a, b), yes, no)
