"""Asking any state, every slot ablated before every segment, memory exchanged between runs."""

import json

import numpy as np
import pytest
import torch
from readings import DETECT, IDS, KINDS, SOME, small

from rmt import intervene
from rmt.causes import slot_effects
from rmt.causes.samples import usual
from rmt.checkpoint import load
from rmt.intervene import ask, read, recalled
from rmt.intervene.changes import Ablate, Edit
from rmt.recorder import record


@pytest.fixture(scope="module")
def detect():
    return load(DETECT, device="cpu")


@pytest.mark.parametrize("cell", SOME)
def test_asking_leaves_states_alone_and_is_what_recording_does(cell):
    model = small(cell=cell)
    reading = read(model, IDS)
    asked = ask(model, reading.states, IDS[0, -5:])
    for i, state in enumerate(reading.states):
        assert torch.allclose(asked[0, i], model(IDS[:, -5:], state=state).logits.float().softmax(-1)[0], atol=1e-6)
    two = ask(model, read(model, IDS.expand(2, -1)).states, IDS[:, -5:].expand(2, -1))
    assert torch.allclose(two[1], asked[0], atol=1e-6)


@pytest.mark.parametrize(("family", "head"), KINDS)
def test_the_map_of_effects_is_what_single_interventions_do(family, head):
    model = small(family, head)
    reading = read(model, IDS)
    found = slot_effects.effects(model, reading, to="zero", segments=[3, 5])
    assert found.map.shape == (2, 3) and list(found.segments) == [3, 5]
    for row, s in enumerate((3, 5)):
        for slot in (0, 2):
            alone = intervene.intervene(model, reading, [Ablate(s, slots=(slot,), to="zero")])
            assert found.map[row, slot] == pytest.approx(_fall(reading, alone, s), abs=1e-6)
        alone = intervene.intervene(model, reading, [Ablate(s, to="zero")])
        assert found.whole[row] == pytest.approx(_fall(reading, alone, s), abs=1e-6)
    assert np.abs(found.map).max() > 1e-4


def _fall(reading, other, s) -> float:
    if reading.probabilities is None:
        return float((other.loss - reading.loss)[:, 8 * s :].nanmean())
    k = int(reading.probabilities.argmax())
    return float(reading.probabilities[0, k] - other.probabilities[0, k])


def test_effects_report_progress_and_can_be_stopped():
    model = small()
    reading, seen = read(model, IDS), []
    slot_effects.effects(model, reading, to="zero", progress=lambda *p: seen.append(p))
    assert seen[-1] == (84, 84) and [done for done, _ in seen] == [4, 12, 24, 40, 60, 84]
    with pytest.raises(KeyboardInterrupt):
        slot_effects.effects(model, reading, to="zero", progress=_stop)


def _stop(done, total):
    raise KeyboardInterrupt


def test_memory_of_another_run_gives_its_answer(detect):
    score = slot_effects.transplant_score(detect, distance=3, pairs=40)
    assert score["donor"] >= 0.95 and score["receiver"] <= 0.05


def test_without_its_memory_detect_cannot_answer(detect):
    trace_ids = json.loads((DETECT / "config.json").read_text())["segment_length"]
    assert trace_ids == detect.segment_length
    means = usual(detect, 4, samples=8)
    assert means.shape == (5, 8, 128)
    text = (
        "Sandra went to the garden. " + "The committee met again and heard eleven witnesses. " * 25 + "Where is Sandra?"
    )
    reading = recalled(detect, record(detect, text))
    assert detect.about.classes[int(reading.probabilities.argmax())] == "garden"
    found = slot_effects.effects(detect, reading, means=usual(detect, len(reading.segments), samples=8))
    assert found.answer == detect.about.classes.index("garden")
    assert found.whole[-1] > 0.5, "without the whole memory the answer is gone"
    start, end = (int(x) for x in (record(detect, text).spans[0]["start"], record(detect, text).spans[0]["end"]))
    turned = intervene.intervene(detect, reading, [Edit(start, end, "Sandra went to the office.")])
    assert detect.about.classes[int(turned.probabilities.argmax())] == "office"
