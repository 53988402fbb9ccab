"""Layers of neighbouring segments run at once: the numbers of the plain loop, to rounding."""

import warnings

import pytest
import torch
from families import VOCABULARY
from test_recorder import AROUND, small

from rmt.model import diagonal as module
from rmt.model.diagonal import diagonal, possible
from rmt.model.unroll import unroll

FAMILIES = ("gpt2", "llama_gqa", "bert")


def documents(model, n_tokens: int, batch: int = 2):
    return model.split(torch.randint(3, VOCABULARY, (batch, n_tokens), generator=torch.Generator().manual_seed(3)))


def filled(name: str, cell: str = "armt"):
    """A memory that writes and reads at random: fresh ones write nothing."""
    model = small(name, cell)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.cell.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model


def gap(one, other) -> float:
    """The largest difference of a step and its state from another's, as a share of what they hold."""
    (_, step, state), (_, plain, expected) = one, other
    parts = [(step.output.hidden, plain.output.hidden), (step.logits, plain.logits), *zip(state, expected, strict=True)]
    return max(float((a - b).abs().max() / b.abs().max().clamp_min(1)) for a, b in parts)


@pytest.mark.parametrize("n_tokens", [9, 70, 75], ids=["one", "equal", "short at the end"])
@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_the_diagonal_reader_gives_the_numbers_of_the_plain_loop(name, n_tokens):
    model = filled(name)
    assert next(model.parameters()).dtype == torch.float64 and possible(model.cell, model.backbone)
    segments = documents(model, n_tokens)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = list(diagonal(model.cell, model.backbone, segments))
    plain = list(unroll(model.cell, model.backbone, segments))
    assert len(found) == len(plain) == len(segments)
    assert all(one[0] is other[0] for one, other in zip(found, plain, strict=True))
    assert max(gap(one, other) for one, other in zip(found, plain, strict=True)) < 1e-10
    if len(segments) > 1:
        assert float((found[0][2][0] - found[1][2][0]).abs().max()) > 1e-3  # the memory does change
        state = found[0][2]
        again = list(diagonal(model.cell, model.backbone, segments[1:], state=state))
        assert gap(again[-1], plain[-1]) < 1e-10


@torch.inference_mode()
def test_segments_are_read_no_further_ahead_than_there_are_layers():
    model, read = filled("gpt2"), []
    segments = documents(model, 120)
    reader = diagonal(model.cell, model.backbone, (read.append(i) or one for i, one in enumerate(segments)))
    for i in range(4):
        next(reader)
        assert len(read) == i + model.backbone.n_layers


@pytest.mark.parametrize("cell", [kind for kind in AROUND if kind != "armt"])
@torch.inference_mode()
def test_memory_that_is_not_per_layer_is_read_by_the_plain_loop(cell):
    model = small("gpt2", cell)
    segments = documents(model, 40)
    assert not possible(model.cell, model.backbone)
    pairs = zip(
        diagonal(model.cell, model.backbone, segments), unroll(model.cell, model.backbone, segments), strict=True
    )
    assert all(torch.equal(one[1].logits, other[1].logits) for one, other in pairs)


def test_what_is_learned_goes_through_the_plain_loop():
    model = filled("gpt2").requires_grad_(True)
    *_, (_, step, _) = diagonal(model.cell, model.backbone, documents(model, 30))
    step.logits.sum().backward()
    assert model.cell.query[0].weight.grad.abs().max() > 0


@torch.inference_mode()
def test_other_numbers_than_the_plain_loops_are_said_and_not_used(monkeypatch):
    model = filled("gpt2")
    segments = documents(model, 70)
    plain = list(unroll(model.cell, model.backbone, segments))
    right = module._LayerStep.forward
    monkeypatch.setattr(module._LayerStep, "forward", lambda *a, **k: tuple(part * 1.001 for part in right(*a, **k)))
    with pytest.warns(UserWarning, match="other numbers than the plain loop"):
        found = list(diagonal(model.cell, model.backbone, segments))
    assert all(torch.equal(one[1].logits, other[1].logits) for one, other in zip(found, plain, strict=True))
