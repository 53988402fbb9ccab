"""One step of training on stories: the answers to several questions of one state, and the loss."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rmt.checkpoint.build import build
from rmt.memory.recurrent import gates
from rmt.text.segments import IGNORE, Segment
from rmt.train.rungs import Rung
from rmt.train.story_step import answers, score

SHORT = Rung("short", forms=(1, 0, 0), facts=4)
FAR = Rung("far", forms=(1, 0, 0), share=(0.5, 0.9), life=3, unroll=2)
STREAMS = Rung("streams", forms=(1, 0, 0), share=(0.3, 0.9), life=12, unroll=2, streams=0.6)


def tensors(chunk):
    return [torch.from_numpy(array) for array in (chunk.ids, chunk.begins, chunk.ask, chunk.ends)]


def targets(chunk):
    return [torch.from_numpy(array) for array in (chunk.quiet, chunk.labels)]


def test_a_rung_may_have_shorter_segments_than_the_model(texts, model):
    stage = replace(STREAMS, tokens=32, cut=1.0)
    made = texts(stage, replace(stage, tokens=None))
    chunk = made.chunk(0)
    assert chunk.ids.shape == (6, 2, 32) and chunk.ask.shape == (6, 32) and chunk.ends.max() < 32
    assert answers(model, *tensors(chunk), model.cell.initial(6))[0].shape[:2] == (6, 3)
    assert made.chunk(1).ids.shape == (6, 2, 48), "by default they are the model's"


def test_places_without_a_question_count_for_nothing(texts, model):
    chunk = texts(SHORT).chunk(0)
    labels = torch.from_numpy(chunk.labels)
    assert (labels == IGNORE).any()
    state = model.cell.initial(len(labels))
    loss, right, _ = score(model, *tensors(chunk), *targets(chunk), state)
    logits, *_ = answers(model, *tensors(chunk), state)
    by_hand = [F.cross_entropy(logits[b, q], labels[b, q]) for b, q in (labels != IGNORE).nonzero().tolist()]
    assert torch.allclose(loss, torch.stack(by_hand).mean()) and not right[labels == IGNORE].any()


def with_gates(model):
    """A copy of a model whose memory is written through gates, some open and some shut."""
    options = {**model.about.config["cell"]["options"], "gated": True}
    gated = build({**model.about.config, "cell": {"kind": "rmt", "options": options}}, model.tokenizer).double()
    gated.load_state_dict(model.state_dict(), strict=False)
    torch.nn.init.normal_(gated.cell.gate.weight)
    return gated


def test_open_gates_cost_their_mean(texts, model):
    chunk, gated = texts(FAR).chunk(0), with_gates(model)
    state = gated.cell.initial(len(chunk.labels))
    steps = answers(gated, *tensors(chunk), state)[2]
    openness = torch.stack([gates(gated.cell.gate_logits(step)) for step in steps])
    assert len(steps) == FAR.unroll and 0.1 < openness.mean() < 0.9
    free, dear = (score(gated, *tensors(chunk), *targets(chunk), state, gate_cost=cost)[0] for cost in (0, 0.5))
    assert (dear - free).item() == pytest.approx(0.5 * openness.mean().item(), rel=1e-5)


def test_gates_of_segments_without_a_fact_should_be_shut(texts, model):
    chunk, gated = texts(replace(FAR, share=(0.1, 0.3))).chunk(0), with_gates(model)
    state = gated.cell.initial(len(chunk.labels))
    logits = torch.stack([gated.cell.gate_logits(step) for step in answers(gated, *tensors(chunk), state)[2]], dim=1)
    wrong = [F.softplus(logits[b, u]).mean() for b, u in zip(*chunk.quiet.nonzero(), strict=True)]
    assert 0 < len(wrong) < chunk.quiet.size
    free, dear = (score(gated, *tensors(chunk), *targets(chunk), state, quiet_cost=cost)[0] for cost in (0, 0.5))
    assert (dear - free).item() == pytest.approx(0.5 * torch.stack(wrong).mean().item(), rel=1e-5)


def test_streams_carry_their_state_and_begin_anew_as_a_plain_loop_does(texts, model):
    made = texts(STREAMS)
    carried, states, began = model.cell.initial(6).detach(), [None] * 6, 0
    for step in range(8):
        chunk = made.chunk(0)
        logits, carried, _ = answers(model, *tensors(chunk), carried)
        for b in range(6):
            for u, ids in enumerate([*chunk.ids[b], chunk.ask[b]]):
                if chunk.begins[b, u]:
                    states[b] = model.cell.initial(1)
                    began += step > 0 and chunk.old[b] > 0
                if states[b] is None:
                    states[b] = model.cell.initial(1)  # read and thrown away: a document begins later in this row
                before = states[b]
                read, states[b] = model.cell.step(model.backbone, Segment(torch.from_numpy(ids)[None]), before)
            states[b] = before  # the questions leave no trace
            hidden = read.output.hidden[0, read.layout.tokens]
            assert torch.allclose(logits[b], model.backbone.model.score(hidden[chunk.ends[b]]), atol=1e-12)
        carried = carried.detach()
    assert began and (chunk.old > 4).any()


def test_the_first_of_several_questions_has_the_answer_of_a_document_that_ends_with_it(texts, model):
    source = texts(FAR)
    chunk = next(c for c in (source.chunk(0) for _ in range(50)) if len(set(c.begins.argmax(1))) > 1)
    logits, *_ = answers(model, *tensors(chunk), model.cell.initial(6))
    for b in range(6):
        first = int(chunk.begins[b].argmax())
        ids = np.concatenate([*chunk.ids[b, first:], chunk.ask[b, : chunk.ends[b, 0] + 1]])
        assert torch.allclose(logits[b, 0], model(torch.from_numpy(ids)[None]).logits[0], atol=1e-12)


def test_questions_asked_apart_are_put_to_one_state(texts, model):
    made = texts(replace(STREAMS, kinds=("qa4",)))
    carried = model.cell.initial(6).detach()
    for _ in range(4):
        ids, begins, ask, ends = tensors(made.chunk(0))
        logits, after, _ = answers(model, ids, begins, ask, ends, carried)
        assert len(ask) == 18 and logits.shape[:2] == (6, 3)
        for q in range(3):
            one, same, _ = answers(model, ids, begins, ask[q::3], ends[q::3], carried)
            assert torch.allclose(logits[:, q : q + 1], one, atol=1e-12) and torch.equal(same, after)
        carried = after.detach()
