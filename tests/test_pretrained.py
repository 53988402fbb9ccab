"""The pretrained backbones that install as packages: they wrap, run, record, replay and train."""

from pathlib import Path

import pytest
import torch
from continuation import continuation

from rmt.checkpoint import inspect, load
from rmt.checkpoint.adapter import add_lora, wrap
from rmt.checkpoint.packages import PRETRAINED, package_folder
from rmt.errors import InputError
from rmt.evaluate.loss_by_position import score, stderr
from rmt.recorder import record, replay
from rmt.tasks.corpora import open_corpus
from rmt.tasks.language_model import Documents

ROOT = Path(__file__).parent.parent

TEXT = "The capital of France is Paris. Mary moved to the bathroom and John went to the hallway in 1984. " * 9


def installed(name):
    try:
        package_folder(name)
    except InputError as error:
        pytest.skip(str(error))


def test_a_package_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for name, package in PRETRAINED.items():
        with pytest.raises(InputError, match=package.requirement):
            inspect(name)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "classes"), [("smollm2", ()), ("minilm", ()), ("minilm", ("garden", "office"))])
def test_they_wrap_run_record_replay_and_train(name, classes):
    installed(name)
    model = wrap(name, n_memory=4, segment_length=16, classes=classes)
    assert not model.about.trained
    trace = record(model, TEXT)
    assert trace.n_segments > 8 and trace.meta["control"] == "untrained"  # the package's tokenizer stops at 128 tokens
    assert "".join(trace.tokens) == TEXT
    again = replay(model, trace, 3)
    assert again.attention.shape[:2] == (model.backbone.n_layers, model.backbone.n_heads)
    assert abs(again.memory - trace.segments[3].memory).max() == 0
    ids = torch.tensor(trace.arrays["ids"][:40].copy())[None].long()
    torch.manual_seed(0)  # of the adapters
    trained = [p for p in add_lora(model, rank=4).parameters() if p.requires_grad]
    optimizer, losses = torch.optim.AdamW(trained, lr=3e-4), []
    for _ in range(6):
        output = model(ids, ids if model.backbone.head == "lm" else torch.tensor([1]) if classes else None)
        loss = output.memory[:, -1].square().mean() if output.loss is None else output.loss
        loss.backward()
        assert model.cell.memory.grad.norm() > 0
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.slow
def test_the_memory_that_ships_around_smollm2_saves_what_its_controls_do_not():
    installed("smollm2")
    model = load(ROOT / "assets" / "checkpoints" / "lm-smollm2", device="cpu")
    held_out = open_corpus("sotu").held_out
    documents = Documents(model.tokenizer, held_out.select(range(0, len(held_out), 4)))
    targets = documents.targets(64, 64, 2)
    own, reset, other = (
        score(model, documents, targets, length=64, history=1, control=control).parts()["first16"]
        for control in ("none", "reset", "other")
    )
    for control in (reset, other):
        saved = control - own  # (D,) nats at the beginning of a segment
        assert saved.mean() > 0.2 and saved.mean() > 3 * stderr(saved)


@pytest.mark.slow
def test_smollm2_speaks_english_and_writes_numbers_digit_by_digit():
    """The numbers of its GGUF file are its own, and the tokenizer's step that transformers leaves out is there."""
    installed("smollm2")
    from rmt.checkpoint import load

    model = load("smollm2", segment_length=64)
    encode = lambda text: model.tokenizer.encode(text, add_special_tokens=False)  # noqa: E731
    ids = torch.tensor(encode("The capital of France is").ids)[None]
    assert model.tokenizer.decode(continuation(model, ids, 1)[0].tolist()) == " Paris"
    assert [model.tokenizer.decode([i]) for i in encode("1984").ids] == ["1", "9", "8", "4"]
