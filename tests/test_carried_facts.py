"""What memory carries of each fact: the numbers of a batch are those of a plain loop of single runs, in float64."""

import numpy as np
import pytest
import torch
from foreign import tiny

from rmt.causes.carried_facts import Known, carried_facts
from rmt.errors import InputError
from rmt.text.segments import Segment

QUESTIONS = [[7, 8, 9], [7, 3, 9, 2]]


@pytest.fixture(params=["llama", "bert"])
def model(request):
    found = tiny(request.param, head="classify").double().eval()
    found.segment_length = 8
    return found


def texts(*, facts=(1, 3), segments=5, seed=0):
    """A text, and it with one token exchanged in the segment of each fact; segments differ in length."""
    rng = np.random.default_rng(seed)
    text = [rng.integers(4, 30, size=5 + i % 3).tolist() for i in range(segments)]
    exchanged = [[list(segment) for segment in text] for _ in facts]
    for other, at in zip(exchanged, facts, strict=True):
        other[at][2] = 30 if other[at][2] != 30 else 31
    return text, exchanged


@torch.inference_mode()
def alone(model, text, *, reset=False):
    """States (S + 1, M, D) and answers (S + 1, Q, C) of one text, segment by segment."""
    state, states = model.cell.initial(1), [model.cell.initial(1)]
    for segment in text:
        state = model.cell.initial(1) if reset else state
        _, state = model.cell.step(model.backbone, Segment(torch.tensor([segment])), state)
        states.append(state)
    asked = [model.cell.initial(1) if reset else state for state in states]
    answers = [[model(torch.tensor([q]), state=s).logits.softmax(-1)[0] for q in QUESTIONS] for s in asked]
    return torch.cat(states), torch.stack([torch.stack(row) for row in answers])


@pytest.mark.parametrize("reset", [False, True])
def test_a_batch_is_a_loop_of_single_runs(model, reset):
    text, exchanged = texts()
    found = carried_facts(model, text, exchanged, QUESTIONS, reset=reset)
    own, answers = alone(model, text, reset=reset)
    assert found.boundaries == tuple(range(6)) and found.slots.shape == (6, own.shape[1], 2)
    np.testing.assert_allclose(found.answers[:, 0], answers, atol=1e-6)
    for f, other in enumerate(exchanged):
        states, asked = alone(model, other, reset=reset)
        size = (states - own).norm(dim=-1) / own.norm(dim=-1)
        np.testing.assert_allclose(found.slots[..., f], size, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.answers[:, 1 + f], asked, atol=1e-6)
        effects = (asked - answers).abs().sum(-1) / 2
        np.testing.assert_allclose(found.effects[..., f], effects, atol=1e-6)


def test_nothing_is_carried_before_a_fact_and_something_after_it(model):
    found = carried_facts(model, *texts(), QUESTIONS)
    assert not found.slots[:2, :, 0].any() and not found.slots[:4, :, 1].any()
    assert (found.slots[2:, :, 0] > 0).all() and (found.slots[4:, :, 1] > 0).all()
    assert not found.effects[:2, :, 0].any() and found.effects[2, :, 0].all()


def test_under_reset_a_fact_is_in_its_own_segment_and_reaches_no_answer(model):
    found = carried_facts(model, *texts(), QUESTIONS, reset=True)
    assert (found.slots[2, :, 0] > 0).all() and (found.slots[4, :, 1] > 0).all()
    found.slots[2, :, 0] = found.slots[4, :, 1] = 0
    assert not found.slots.any() and not found.effects.any()


def test_an_edit_reads_only_what_comes_after_it(model, monkeypatch):
    text, exchanged = texts()
    known, told = Known(), []
    first = carried_facts(model, text, exchanged, QUESTIONS, known=known, progress=lambda *n: told.append(n))
    assert told[-1] == (5 + 4 + 2, 5 + 4 + 2), "what the texts share is read once"
    count = []
    step = model.cell.step
    monkeypatch.setattr(model.cell, "step", lambda b, segment, s: count.append(len(segment.ids)) or step(b, segment, s))
    again = carried_facts(model, text, exchanged, QUESTIONS, known=known)
    assert not count
    np.testing.assert_array_equal(first.slots, again.slots)
    np.testing.assert_array_equal(first.answers, again.answers)
    edited = [*text[:4], [*text[4], 11]]
    changed = carried_facts(model, edited, [[*other[:4], edited[4]] for other in exchanged], [], known=known)
    assert sum(count) == 3, "the last segment of three texts"
    fresh = carried_facts(model, edited, [[*other[:4], edited[4]] for other in exchanged], [])
    np.testing.assert_allclose(changed.slots, fresh.slots, rtol=1e-9)


def test_some_boundaries_are_those_of_all(model):
    for reset in (False, True):
        every = carried_facts(model, *texts(), QUESTIONS, reset=reset)
        some = carried_facts(model, *texts(), QUESTIONS, reset=reset, at=[0, 2, 5])
        np.testing.assert_allclose(some.slots, every.slots[[0, 2, 5]], rtol=1e-9)
        np.testing.assert_allclose(some.answers, every.answers[[0, 2, 5]], atol=1e-6)


def test_what_is_known_is_bounded(model):
    known = Known(most=3)
    found = carried_facts(model, *texts(), QUESTIONS, known=known)
    assert len(known.states) == len(known.answers) == 3
    again = carried_facts(model, *texts(), QUESTIONS, known=known)
    np.testing.assert_allclose(found.slots, again.slots, rtol=1e-9)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text, exchanged: (text, [exchanged[0][:-1]]), "as many segments"),
        (lambda text, exchanged: ([*text, []], []), "1 to 8 tokens"),
        (lambda text, exchanged: ([*text, list(range(4, 13))], []), "1 to 8 tokens"),
    ],
)
def test_what_cannot_be_read_is_a_sentence(model, change, told):
    with pytest.raises(InputError, match=told):
        carried_facts(model, *change(*texts()), QUESTIONS)


def test_a_memory_that_grows_is_refused():
    with pytest.raises(InputError, match="grows with the text"):
        carried_facts(tiny("llama", "rmt-r", head="classify"), *texts(), QUESTIONS)


def test_a_text_without_facts_is_read(model):
    found = carried_facts(model, texts()[0], [], QUESTIONS)
    assert found.slots.shape[-1] == 0 and found.answers.shape[1] == 1
