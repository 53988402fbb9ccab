"""Memory's attention cut: a path that carries nothing, and others left alone."""

import pytest
import torch
from readings import IDS, small

from rmt import intervene
from rmt.errors import InputError
from rmt.intervene import read
from rmt.intervene.block import Blocking
from rmt.intervene.changes import Noise, Reset, parse
from rmt.recorder import Recorder
from rmt.text.segments import Segment


@pytest.mark.parametrize("family", ["gpt2", "llama", "bert"])
def test_a_cut_path_carries_nothing(family):
    model = small(family, "classify")
    segment, state = Segment(IDS[:, :8]), model.cell.initial(1)
    recorder = Recorder(Blocking(model.backbone, parse("block:read:2.1@1;block:write:1.*@1/2")), full=True)
    model.cell.step(recorder, segment, state)
    whole = recorder.all.attention[:, 0]  # (L, H, N, N)
    layout = model.cell.step(model.backbone, segment, state)[0].layout
    read_, write_ = layout.read, layout.write
    assert not whole[1, 0, layout.tokens, read_].any() and whole[1, 1, layout.tokens, read_].any()
    assert not whole[0, :, write_, layout.tokens][:, 1].any() and whole[0, :, write_, layout.tokens][:, 0].any()
    assert torch.allclose(whole.sum(-1), torch.ones(()).double())
    assert torch.allclose(recorder.all.mass.sum(-1), torch.tensor(float(whole.shape[-1])).double(), atol=1e-5)


def test_without_reading_memory_it_does_not_matter():
    model = small("llama", "classify")
    blind = parse("block:read:*.*@4-;block:carry:*.*@4-")
    a = intervene.intervene(model, read(model, IDS), blind)
    b = intervene.intervene(model, read(model, IDS), [*blind, Noise(3, scale=9.0)])
    # Noise still reaches the next state, as write memory begins as a copy of this one; tokens see none of it.
    assert torch.equal(_tokens(model, blind, a.states[3]), _tokens(model, blind, b.states[4]))


def _tokens(model, blocks, state):
    backbone = Blocking(model.backbone, blocks)
    backbone.segment = 3
    step, _ = model.cell.step(backbone, Segment(IDS[:, 24:32]), state)
    return step.output.hidden[:, step.layout.tokens]


def test_a_block_leaves_other_segments_alone_to_the_bit():
    model = small("gpt2", "lm")
    reading = read(model, IDS)
    other = intervene.intervene(model, reading, parse("block:read:1.1@5"))
    cut = slice(32, 40)
    assert torch.equal(other.states[4], reading.states[4])
    assert not torch.equal(other.loss[:, cut], reading.loss[:, cut])
    again = read(model, IDS[:, 40:])
    after = intervene.intervene(model, other, [Reset(5)])
    assert torch.equal(again.loss.nan_to_num(), after.loss[:, 40:].nan_to_num())


def test_a_memory_that_no_attention_reads_has_no_path():
    model = small("gpt2", "lm", "armt")
    with pytest.raises(InputError, match="by attention"):
        intervene.intervene(model, read(model, IDS), parse("block:read:1.1@2"))
