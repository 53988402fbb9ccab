"""A memory that adds up, so that every contribution is known: the planted model of causal tests.

Each token has a row of numbers. Reading a segment adds the sum of its tokens' rows to the memory (all in slot 0, none
in the others), and an answer's logits are the memory before the segment plus the segment's own sum, times a matrix.
"""

import torch
from torch import Tensor, nn

from rmt.backbone import Layout, Output
from rmt.memory.base import MemoryCell, Step
from rmt.model import About, Model

DIM, CLASSES, VOCABULARY, SLOTS = 6, 3, 20, 3


class Table(nn.Embedding):
    """Stands where a transformers model would."""

    def get_input_embeddings(self) -> nn.Embedding:
        return self


class Sum(nn.Module):
    """A backbone that passes embeddings through."""

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

    def embed(self, ids: Tensor) -> Tensor:
        return self.model(ids)


class AddingMemory(MemoryCell):
    """State (B, SLOTS, DIM), of which only the first slot counts."""

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
    """A planted model in float64, segments of four tokens."""
    torch.manual_seed(0)
    about = About("planted", classes=["a", "b", "c"])
    model = Model(Sum(), AddingMemory(), segment_length=4, about=about).double()
    return model.requires_grad_(False).eval()
