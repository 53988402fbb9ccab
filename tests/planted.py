"""Planted models for causal tests: a memory that adds numbers up, so that every contribution is known.

Each token has a row of numbers. Reading a segment adds the sum of its tokens' rows to the memory (all in slot 0, none
in the others), and an answer's logits are the memory before the segment plus the segment's own sum, times a matrix.
"""

import functools

import torch
from torch import Tensor, nn

from rmt.backbone import Layout, Output
from rmt.memory.base import MemoryCell, Step
from rmt.model import About, Model
from rmt.tasks.base import ACTIONS, NAMES, PLACES
from rmt.tasks.reasoning import DIRECTIONS
from rmt.text.tokenizer import train_tokenizer

DIM, CLASSES, VOCABULARY, SLOTS = 6, 3, 20, 3


class Table(nn.Embedding):
    """A stand-in for a transformers model: a table of embeddings."""

    def get_input_embeddings(self) -> nn.Embedding:
        return self


class Sum(nn.Module):
    """A backbone that passes embeddings through unchanged."""

    dim, n_layers, n_heads, causal, head, fused, cls_id, sep_id, n_positions = (
        DIM,
        1,
        1,
        True,
        "classify",
        True,
        *[None] * 3,
    )

    def __init__(self):
        super().__init__()
        self.model = Table(VOCABULARY, DIM)
        self.answer = nn.Linear(DIM, CLASSES, bias=False)

    @property
    def embeddings(self) -> Tensor:
        return self.model.weight

    def embed(self, ids: Tensor) -> Tensor:
        return self.model(ids)


class AddingMemory(MemoryCell):
    """A cell that adds: state (B, SLOTS, DIM), of which only the first slot is used."""

    def __init__(self):
        super().__init__(DIM, SLOTS)
        self.memory = nn.Parameter(torch.zeros(SLOTS, DIM))

    def initial(self, batch: int) -> Tensor:
        return self.memory.expand(batch, -1, -1)

    def step(self, backbone, segment, state):
        told = backbone.embed(segment.ids).sum(1)  # (B, D)
        total = state[:, 0] + told
        output = Output(total[:, None], total, backbone.answer)
        return Step(output, Layout(slice(0, segment.ids.shape[1]))), torch.cat([total[:, None], state[:, 1:]], dim=1)

    def slots(self, state):
        return state


def planted() -> Model:
    """A planted model in float64 with segments of four tokens."""
    torch.manual_seed(0)
    about = About("planted", classes=["a", "b", "c"])
    model = Model(Sum(), AddingMemory(), segment_length=4, about=about).double()
    return model.requires_grad_(False).eval()


# A memory of the places that a text names, over real stories: what it knows and when is known exactly.


class Named(nn.Module):
    """A backbone that sees only which place a token names, if any: embeddings (V, C) of ones and zeros."""

    def __init__(self, tokenizer, classes):
        super().__init__()
        table = torch.zeros(tokenizer.get_vocab_size(), len(classes))
        for place, name in enumerate(classes):
            (token,) = tokenizer.encode(name, add_special_tokens=False).ids
            table[token, place] = 1
        self.model, self.trunk = Table.from_pretrained(table), None
        self.answer = nn.Linear(len(classes), len(classes), bias=False)
        self.answer.weight.data = torch.eye(len(classes)) * GAIN
        self.dim, self.n_layers, self.n_heads, self.causal, self.head, self.fused = len(classes), 1, 1, True, *KIND
        self.n_positions = self.cls_id = self.sep_id = None
        self.recurrent = False

    def embed(self, ids: Tensor) -> Tensor:
        return self.model(ids)


class PlaceMemory(MemoryCell):
    """A cell of places: state (B, M, C); slot j takes shares[j] of the places named and keeps `keep` of the old ones.

    The logits are GAIN times the sum of the slots and of what the segment itself names. The initial memory leans
    towards one place, BLANK, which is what the model answers where it was told nothing.
    """

    def __init__(self, classes: int, shares, keep: float):
        super().__init__(classes, len(shares))
        self.memory = nn.Parameter(torch.zeros(len(shares), classes))
        self.memory.data[0, BLANK] = 0.1
        self.register_buffer("shares", torch.tensor(shares))
        self.keep = keep

    def initial(self, batch: int) -> Tensor:
        return self.memory.expand(batch, -1, -1)

    def step(self, backbone, segment, state):
        told = backbone.embed(segment.ids).sum(1)  # (B, C)
        total = state.sum(1) + told
        after = self.memory + self.keep * (state - self.memory) + self.shares[:, None] * told[:, None]
        return Step(Output(total[:, None], total, backbone.answer), Layout(slice(0, segment.ids.shape[1]))), after

    def slots(self, state):
        return state


GAIN, BLANK, KIND = 8.0, PLACES.index("hallway"), ("classify", True)


@functools.cache
def story_tokenizer():
    """A tokenizer with the places, names and actions of the tasks as one token each; other words are in pieces."""
    went = [f"{name} {how} to the {place}. Where is {name}?" for name in NAMES for how in ACTIONS for place in PLACES]
    lies = [f"The {a} is {how} of the {b}." for a in PLACES for b in PLACES for how in DIRECTIONS]
    other = ["offices officer officers"] * 99  # words of the speeches that would begin with a place's token
    return train_tokenizer([*went, *lies, *other], size=420)


def placed(*, task: str = "detect", shares=(0.5, 0.3, 0.2), keep: float = 1.0, segment_length: int = 48) -> Model:
    """A model of a task with a planted memory of places, in float64; keep=0: it forgets in the next segment."""
    tokenizer = story_tokenizer()
    about = About("placed", task=task, classes=list(PLACES), config={"cell": {"kind": "rmt"}})
    cell = PlaceMemory(len(PLACES), shares, keep)
    model = Model(Named(tokenizer, PLACES), cell, segment_length=segment_length, tokenizer=tokenizer, about=about)
    return model.double().requires_grad_(False).eval()
