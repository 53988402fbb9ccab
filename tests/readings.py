"""Shared code for tests of interventions: tiny models of every memory, and readings compared to the bit."""

from pathlib import Path

import torch
from foreign import tiny

from rmt import intervene
from rmt.memory import CELLS
from rmt.memory.base import map_state

ROOT = Path(__file__).parent.parent
DETECT = ROOT / "assets" / "checkpoints" / "detect"
IDS = (torch.arange(45) * 7 % 47 + 3)[None]  # five whole segments and a short one
OPTIONS = {"armt": {"d_memory": 4}}
KINDS = [("gpt2", "lm"), ("llama", "classify"), ("bert", "classify")]
SOME = [cell for cell in ("rmt", "rmt-r", "armt") if cell in CELLS]


def small(family="bert", head="classify", cell="rmt"):
    return tiny(family, cell, head=head, **OPTIONS.get(cell, {})).double().eval()


def tensors(state) -> list[torch.Tensor]:
    found = []
    map_state(lambda t: found.append(t) or t, state)
    return found


def same(a: intervene.Reading, b: intervene.Reading) -> bool:
    """Whether two readings are the same to the bit."""
    pairs = zip(a.states, b.states, strict=True)
    answers = (a.probabilities is None) == (b.probabilities is None)
    if answers and a.probabilities is not None:
        answers = torch.equal(a.probabilities, b.probabilities)
    states = all(torch.equal(x, y) for s, t in pairs for x, y in zip(tensors(s), tensors(t), strict=True))
    return answers and states and torch.equal(a.loss.nan_to_num(), b.loss.nan_to_num())
