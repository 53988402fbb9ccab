"""Attribution: what is planted is found exactly, and the gap of integrated gradients is what it says."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import tiny
from planted import CLASSES, SLOTS, VOCABULARY, planted

from rmt.causes.attribute import GAP, Rows, by_segment, by_slot, by_token, local_and_memory, output_of
from rmt.causes.why import why
from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.intervene import RESET, read, recalled
from rmt.memory import CELLS
from rmt.recorder import record
from rmt.trace import Trace

ROOT = Path(__file__).parent.parent
IDS = torch.arange(14)[None] * 5 % VOCABULARY  # three whole segments of four and a short one
OPTIONS = {"armt": {"d_memory": 4}}
SOME = [cell for cell in ("rmt", "rmt-r", "armt") if cell in CELLS]


def parts(model) -> tuple[torch.Tensor, torch.Tensor]:
    """What each token adds to each class (Tn, C), and the vocabulary's mean (C,)."""
    worth = model.backbone.answer(model.backbone.model.weight)  # (V, C)
    return worth[IDS[0]], worth.mean(0)


# The planted model, exactly.


@pytest.fixture(params=range(CLASSES))
def choice(request):
    return request.param


def test_segments_of_the_planted_model(choice):
    model = planted()
    reading = read(model, IDS)
    each, _ = parts(model)
    expected = [float(each[a : a + 4, choice].sum()) for a in range(0, 14, 4)]
    assert np.allclose(by_segment(model, reading, output_of(model, reading, choice)), expected, atol=1e-12)


def test_tokens_of_the_planted_model(choice):
    model = planted()
    reading = read(model, IDS)
    each, mean = parts(model)
    found = by_token(model, reading, output_of(model, reading, choice))
    assert np.allclose(found.values, (each[:, choice] - mean[choice]).numpy(), atol=1e-10)
    assert found.gap < 1e-10 and found.steps == 32, "a straight line needs no more than the first steps"
    assert found.output - found.baseline == pytest.approx(found.values.sum())


def test_slots_of_the_planted_model(choice):
    model = planted()
    reading = read(model, IDS)
    each, _ = parts(model)
    found = by_slot(model, reading, output_of(model, reading, choice))
    assert np.allclose(found, [float(each[:12, choice].sum()), *[0.0] * (SLOTS - 1)], atol=1e-12)
    to = torch.ones(SLOTS, 6).double()
    shifted = by_slot(model, reading, output_of(model, reading, choice), to=to)
    assert shifted[0] == pytest.approx(found[0] - float(model.backbone.answer(to[0])[choice]))


def test_slots_and_memory_are_measured_from_the_initial_memory(choice):
    model = planted()
    model.cell.memory.copy_(torch.arange(SLOTS * 6).view(SLOTS, 6).double())
    reading, initial = read(model, IDS), model.backbone.answer(model.cell.memory[0])
    each, mean = parts(model)
    output = output_of(model, reading, choice)
    found = by_slot(model, reading, output)
    assert np.allclose(found, [float(each[:12, choice].sum()), *[0.0] * (SLOTS - 1)], atol=1e-12)
    expected = [float(each[a : a + 4, choice].sum()) for a in range(0, 12, 4)]
    last = float(each[12:, choice].sum() + initial[choice])
    assert np.allclose(by_segment(model, reading, output), [*expected, last], atol=1e-12)
    local, memory = local_and_memory(model, reading)
    assert np.allclose(local, each[12:].sum(0) + initial) and np.allclose(memory, each[:12].sum(0))
    tokens = by_token(model, reading, output)
    assert np.allclose(tokens.values, (each[:, choice] - mean[choice]).numpy(), atol=1e-10)
    assert tokens.baseline == pytest.approx(float(14 * mean[choice] + initial[choice]))


def test_memory_and_local_text_of_the_planted_model():
    model = planted()
    each, _ = parts(model)
    local, memory = local_and_memory(model, read(model, IDS))
    assert np.allclose(local, each[12:].sum(0)) and np.allclose(memory, each[:12].sum(0))


def test_a_reset_run_owes_nothing_to_what_came_before():
    model = planted()
    reading = read(model, IDS, standing=(RESET,))
    output = output_of(model, reading, 0)
    each, mean = parts(model)
    assert not by_segment(model, reading, output)[:-1].any() and not by_slot(model, reading, output).any()
    found = by_token(model, reading, output)
    assert not found.values[:12].any() and np.allclose(found.values[12:], (each[12:, 0] - mean[0]).numpy())
    assert not local_and_memory(model, reading)[1].any()


# Any model.


@pytest.mark.parametrize("cell", SOME)
@pytest.mark.parametrize(("family", "head"), [("gpt2", "lm"), ("llama", "classify"), ("bert", "classify")])
def test_a_document_given_by_its_embeddings_is_the_document(family, head, cell):
    model = tiny(family, cell, head=head, **OPTIONS.get(cell, {})).double().eval()
    reading = read(model, IDS + 3)
    output = output_of(model, reading)
    embedded = model.backbone.embed(reading.ids)
    with torch.inference_mode():
        logits = model(reading.ids).logits[0]
        expected = logits[output.token] if output.at is None else logits[8 + output.at, output.token]
    assert torch.equal(Rows(model, reading)(embedded, output)[0], expected)
    two = Rows(model, reading)(torch.cat([embedded, embedded * 0.5]), output)
    assert two[0] == pytest.approx(float(expected)) and two[1] != two[0]
    allowed = 0.5 if cell == "armt" else GAP  # with random weights its features have a kink at every turn
    found = by_token(model, reading, output, gap=allowed)
    assert found.gap <= allowed
    assert found.values.sum() == pytest.approx(found.output - found.baseline, rel=found.gap + 1e-9)


@pytest.mark.parametrize("cell", SOME)
def test_skipping_a_segment_is_reading_the_text_without_it(cell):
    model = tiny("bert", cell, **OPTIONS.get(cell, {})).double().eval()
    reading = read(model, IDS.repeat(1, 2) + 3)
    output = output_of(model, reading, 1)
    whole = float(model(reading.ids).logits[0, 1])
    without = float(model(torch.cat([reading.ids[:, :8], reading.ids[:, 16:]], dim=1)).logits[0, 1])
    found = by_segment(model, reading, output)
    assert found[1] == pytest.approx(whole - without, abs=1e-9)
    assert found[-1] == pytest.approx(float(model(reading.ids[:, 24:]).logits[0, 1]))


class Sharp(torch.nn.Module):
    """Turns all answers within a small part of the path."""

    def __init__(self, answer, half):
        super().__init__()
        self.answer, self.half = answer, half

    def forward(self, rows):
        return 5 * torch.tanh(2000 * self.answer(rows - self.half))


def test_a_jump_on_the_path_needs_more_steps_and_gets_them():
    model = planted()
    table = model.backbone.model.weight
    half = 0.37 * table[IDS[0]].sum(0) + 0.63 * len(IDS[0]) * table.mean(0)
    model.backbone.answer = Sharp(model.backbone.answer, half)
    reading = read(model, IDS)
    output = output_of(model, reading, 0)
    plain = by_token(model, reading, output, gap=1e9)
    found = by_token(model, reading, output)
    assert found.gap <= GAP == 0.01 < plain.gap and found.steps > plain.steps
    stopped = by_token(model, reading, output, gap=1e-12, most_steps=100)
    assert stopped.steps <= 100 and stopped.gap > 1e-12, "what was reached is told"
    for each in (plain, stopped):
        change = each.output - each.baseline
        assert abs(each.values.sum() - change) <= each.gap * abs(change) * (1 + 1e-9)


def test_what_is_no_output_is_refused():
    model = planted()
    reading = read(model, IDS)
    with pytest.raises(InputError, match="no class 7"):
        output_of(model, reading, 7)
    with pytest.raises(InputError, match="one run"):
        output_of(model, read(model, IDS.repeat(2, 1)))
    lm = tiny("gpt2").double()
    with pytest.raises(InputError, match="no other follows"):
        output_of(lm, read(lm, IDS), 5)


# A trained model and its recorded run.


@pytest.fixture(scope="module")
def short():
    """A short story, read by the shipped model."""
    model = load(ROOT / "assets" / "checkpoints" / "detect", device="cpu")
    noise = "The committee met again and heard eleven witnesses. " * 7
    return model, record(model, f"{noise}John moved to the hallway. {noise}Where is John?")


def test_the_answer_comes_from_the_fact(short):
    model, trace = short
    seen = []
    found = why(model, trace, progress=lambda *p: seen.append(p))
    fact = trace.spans[0]
    told_in = trace.segment_of(fact["start"])
    values = np.array(found["tokens"])
    assert found["output"] == "hallway" and found["gap"] <= GAP and seen[-1][0] == found["steps"]
    assert int(np.argmax(found["segments"][:-1])) == told_in
    assert fact["start"] <= int(np.argmax(values)) < fact["end"]
    assert sum(found["local"]) != 0 and found["memory"][1] > 2
    json.dumps(found)


def test_a_run_of_other_weights_is_refused(short):
    model, trace = short
    model.about.fingerprint, kept = "other", model.about.fingerprint
    try:
        with pytest.raises(InputError, match="other weights"):
            why(model, trace)
    finally:
        model.about.fingerprint = kept


def test_the_command(short, tmp_path, rmt_command):
    _, trace = short
    path = trace.save(tmp_path / "t.trace.safetensors")
    checkpoint = ROOT / "assets" / "checkpoints" / "detect"
    code, told, error = rmt_command("why", checkpoint, path, "--no-tokens", "--json")
    assert code == 0 and json.loads(told)["output"] == "hallway", error
    code, _, error = rmt_command("why", checkpoint, ROOT / "assets" / "traces" / "reasoning.trace.safetensors")
    assert code == 2 and "other weights" in error and "Traceback" not in error


def test_slots_of_a_recorded_run_are_those_of_the_run(short):
    model, trace = short
    kept, fresh = recalled(model, trace), read(model, np.array(Trace.open(trace.path).arrays["ids"]))
    output = output_of(model, kept)
    assert np.allclose(by_slot(model, kept, output), by_slot(model, fresh, output), atol=1e-5)
