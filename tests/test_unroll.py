"""The loop over segments: what it carries, where it cuts, what may come between."""

import pytest
import torch
from foreign import tiny

from rmt.errors import InputError
from rmt.model.unroll import unroll

IDS = torch.arange(26)[None] % 47 + 3


def run(model, **options):
    return list(unroll(model.cell, model.backbone, model.split(IDS), **options))


def test_it_yields_each_segment_once_in_order():
    model = tiny()
    steps = run(model)
    assert torch.equal(torch.cat([segment.ids for segment, _, _ in steps], dim=1), IDS)
    assert [step.logits.shape[1] for _, step, _ in steps] == [8, 8, 8, 2]


def test_it_goes_on_from_a_given_state():
    model = tiny().double()
    steps, segments = run(model), model.split(IDS)
    rest = list(unroll(model.cell, model.backbone, segments[2:], state=steps[1][2]))
    assert torch.equal(rest[-1][2], steps[-1][2])


def test_before_sees_each_state_and_may_change_it():
    model, seen = tiny().double(), []
    initial = model.cell.initial(1)
    steps = run(model, before=lambda i, state: seen.append((i, state)) or (initial if i == 2 else state))
    assert [i for i, _ in seen] == [0, 1, 2, 3]
    assert torch.equal(seen[1][1], steps[0][2])
    reset = list(unroll(model.cell, model.backbone, model.split(IDS)[2:]))
    assert torch.equal(steps[-1][2], reset[-1][2])


@pytest.mark.parametrize(("bptt_unroll", "cut"), [(None, []), (1, [1, 2, 3]), (2, [2]), (3, [1]), (4, []), (9, [])])
def test_windows_are_counted_from_the_end(bptt_unroll, cut):
    model, held = tiny(), []
    model.requires_grad_(True)
    run(model, bptt_unroll=bptt_unroll, before=lambda i, state: held.append(state.requires_grad) or state)
    assert [i for i, grad in enumerate(held) if not grad] == cut


def test_a_window_of_nothing_gets_a_sentence():
    with pytest.raises(InputError, match="1 or more"):
        run(tiny(), bptt_unroll=0)
