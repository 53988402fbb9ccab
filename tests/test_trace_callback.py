"""The Trainer's callback that records a text while a memory is trained, and metrics in trackers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from training import listed
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

import rmt
from rmt.errors import InputError
from rmt.measure import token_loss
from rmt.train import tracking
from rmt.train.lm_config import LMConfig

TEXT = [*range(3, 27)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    stock = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=40, n_positions=64))
    wrapped = rmt.wrap(stock, segment_length=8, n_memory=2)
    for parameter in wrapped.parameters():
        parameter.requires_grad_(True)
    return wrapped


def train(model, folder, *callbacks, steps: int = 5):
    """Train on texts that count up; the weights at the end."""
    data = [{"ids": (ids := torch.arange(i, i + 16) % 40), "labels": ids} for i in range(32)]
    arguments = TrainingArguments(
        str(folder / "run"),
        max_steps=steps,
        per_device_train_batch_size=4,
        seed=3,
        report_to=[],
        save_strategy="no",
        use_cpu=True,
        remove_unused_columns=False,
        disable_tqdm=True,
    )
    Trainer(model, arguments, train_dataset=data, callbacks=list(callbacks)).train()
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_the_same_text_is_recorded_as_training_goes_on(model, tmp_path):
    callback = rmt.TraceCallback(every=2, text=TEXT, folder=tmp_path / "traces")
    train(model, tmp_path, callback)
    assert [step for step, _ in callback.traces] == [0, 2, 4, 5]
    traces = [rmt.Trace.open(path) for _, path in callback.traces]
    assert len({trace.meta["made_by"]["fingerprint"] for trace in traces}) == 4, "weights change from step to step"
    last = rmt.record(model.eval(), TEXT)
    np.testing.assert_array_equal(traces[-1].memory, last.memory)
    assert not np.array_equal(traces[0].memory, traces[-1].memory)
    resets = sorted(path.name for path in (tmp_path / "traces").glob("*.reset.trace.safetensors"))
    assert len(resets) == 4 and rmt.Trace.open(tmp_path / "traces" / resets[0]).meta["control"] == "reset"


def test_recording_changes_nothing_of_the_training(model, tmp_path):
    from copy import deepcopy

    alone = deepcopy(model)
    watched = train(model, tmp_path, rmt.TraceCallback(every=1, text=TEXT, folder=tmp_path / "traces", control=False))
    for name, value in train(alone, tmp_path).items():
        assert torch.equal(value, watched[name]), name
    assert model.training and model.about.name == alone.about.name


def test_what_is_no_rmt_model_needs_a_reader(tmp_path):
    stock = GPT2LMHeadModel(GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=40, n_positions=64))
    state = type("State", (), {"global_step": 0, "is_world_process_zero": True})
    with pytest.raises(InputError, match="GPT2LMHeadModel is no rmt model; give reader="):
        rmt.TraceCallback(text=TEXT, folder=tmp_path).on_train_begin(None, state, None, model=stock)
    callback = rmt.TraceCallback(text=TEXT, folder=tmp_path, reader=lambda model: rmt.load(model, segment_length=8))
    callback.on_train_begin(None, state, None, model=stock)
    assert callback.traces[0][1].is_file()
    with pytest.raises(InputError, match="every is a number of steps"):
        rmt.TraceCallback(every=0, text=TEXT)


def test_metrics_go_to_a_tracker(monkeypatch, tmp_path):
    logged, run = listed(monkeypatch), SimpleNamespace(config=LMConfig(), accelerator=Accelerator(cpu=True))
    tracking.track(run, "tensorboard", tmp_path)
    assert logged[0]["cell"] == LMConfig().cell
    run.accelerator.log(tracking.numbers({"step": 5, "loss": 1.5, "stage": "two", "done": True}), step=5)
    assert logged[1] == (5, {"train/loss": 1.5})
    with pytest.raises(InputError, match="pip install wandb"):
        tracking.track(run, "wandb", tmp_path)
    with pytest.raises(InputError, match="no tracker 'mlflow'; choose from jsonl"):
        tracking.track(run, "mlflow", tmp_path)


def test_train_draws_what_was_recorded(model, tmp_path, monkeypatch):
    from app_pages import open_page

    from rmt_viz import session
    from rmt_viz.findings.train import loss_finding, recorded_readings
    from rmt_viz.shelf.library import Library

    callback = rmt.TraceCallback(every=2, text=TEXT, folder=tmp_path / "traces")
    train(model, tmp_path, callback)
    shelf = Library(own=tmp_path / "traces")
    readings, of = recorded_readings([shelf.open(name) for name in shelf.own_names()])
    assert of == "loss" and [reading.step for reading in readings] == [0, 2, 4, 5]
    last = rmt.Trace.open(callback.traces[-1][1])
    expected = [np.nanmean(token_loss(last, segment.start, segment.end)) for segment in last.segments]
    np.testing.assert_allclose(readings[-1].knows, expected, rtol=1e-5)
    assert "From step 0 to 5 the loss went from" in loss_finding(readings)
    monkeypatch.setattr(session, "library", lambda: shelf)
    page = open_page("train")
    assert any("rmt.TraceCallback" in drawn.proto.json for drawn in page.get("bidi_component"))
