"""Several questions asked with one state: the segments of a chunk are read once, then all questions are answered."""

import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.backbone import wide
from rmt.errors import InputError
from rmt.memory.base import State, Step, choose, detach, map_state
from rmt.memory.recurrent import gates
from rmt.model import Model
from rmt.model.unroll import unroll
from rmt.text.segments import IGNORE, Segment


def answers(
    model: Model, ids: Tensor, begins: Tensor, ask: Tensor, ends: Tensor, state: State
) -> tuple[Tensor, State, list[Step]]:
    """Read a chunk: logits (B, Q, C) of the questions, the state after the segments before them, those segments' steps.

    ids (B, U, T), begins (B, U + 1), ask (B K, A) and ends (B K, Q / K) as in `Chunk`. state: before the first segment;
    a row is set to the cell's initial state before each segment where `begins` is true. An answer is read at its
    question's last token, so it depends on the questions before it in its asking segment and on none after it.
    """
    rows, last = len(begins), begins.shape[1] - 1
    initial, carried = model.cell.initial(rows), state

    def begin(u: int, state: State) -> State:
        nonlocal carried
        carried = map_state(wide, state)  # a state is never in half precision
        chosen = choose(begins[:, u], initial, carried)
        copies = len(ask) // rows if u == last else 1
        return chosen if copies == 1 else map_state(lambda part: part.repeat_interleave(copies, 0), chosen)

    segments = [*map(Segment, ids.unbind(1)), Segment(ask)]
    steps = [step for _, step, _ in unroll(model.cell, model.backbone, segments, state=state, before=begin)]
    asked = steps.pop()
    logits = model.backbone.answers(asked.output.hidden, ends + asked.layout.tokens.start)
    return logits.flatten(0, 1).unflatten(0, (rows, -1)), carried, steps


def score(
    model: Model,
    ids: Tensor,
    begins: Tensor,
    ask: Tensor,
    ends: Tensor,
    quiet: Tensor,
    labels: Tensor,
    state: State,
    *,
    gate_cost: float = 0.0,
    quiet_cost: float = 0.0,
) -> tuple[Tensor, Tensor, State]:
    """Score a chunk: the loss (), which answers are right (B, Q), the detached state after the segments.

    The loss is the mean cross-entropy; gate_cost times the mean of how far the memory's gates are open; and quiet_cost
    times the mean cross-entropy of the gates of segments that are quiet (B, U), all of which should be shut.
    """
    logits, state, steps = answers(model, ids, begins, ask, ends, state)
    logits = wide(logits)
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
    if steps and (gate_cost or quiet_cost):
        gated = wide(torch.stack([model.cell.gate_logits(step) for step in steps], dim=1))  # (B, U, M, D)
        writes = F.softplus(gated).mean((2, 3)) * quiet  # (B, U)
        loss = loss + gate_cost * gates(gated).mean() + quiet_cost * writes.sum() / quiet.sum().clamp(min=1)
    return loss, logits.argmax(-1) == labels, detach(state)


@torch.no_grad()
def check(model: Model) -> None:
    """Raise InputError for a model that cannot answer several questions, or whose state grows with the text."""
    if not model.backbone.causal:
        raise InputError(
            "Several questions after one text are read where each ends, and an encoder reads one answer for all of "
            "them; use --backbone llama or gpt2."
        )
    before = model.cell.initial(1)
    ids = torch.zeros(1, model.segment_length, dtype=torch.long, device=model.device)
    _, after = model.cell.step(model.backbone, Segment(ids), before)
    if _shapes(before) != _shapes(after):
        raise InputError(
            f"The memory of --cell {model.about.config['cell']['kind']} grows with the text, so streams of different "
            "ages cannot be read side by side; use one of a fixed size, like rmt."
        )


def _shapes(state: State) -> State:
    return map_state(lambda tensor: tuple(tensor.shape), state)
