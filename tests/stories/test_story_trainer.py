"""Training on stories as a whole: rungs, streams, a captured step, resuming, and what is refused.

More than 300 lines, since all of it is tried on one tiny run.
"""

import json
import re
import sys
from dataclasses import replace
from functools import partialmethod
from itertools import repeat

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from training import listed

from rmt.__main__ import main
from rmt.checkpoint import load
from rmt.commands.options import options_of
from rmt.errors import InputError
from rmt.memory.base import map_state
from rmt.tasks import distractor
from rmt.train.captured_step import CapturedStep
from rmt.train.config import StoryConfig
from rmt.train.rungs import rungs
from rmt.train.story_trainer import StoryTrainer
from rmt.train.tracking import track


def test_gates_that_the_other_run_does_not_have_begin_nearly_open(config, tmp_path):
    config = replace(config, first=10)
    StoryTrainer(config, tmp_path / "first")._save()
    gated = StoryTrainer(replace(config, gated=True, init=str(tmp_path / "first")), tmp_path / "gated")
    ids = torch.arange(200).reshape(1, 200)
    state, before = gated.model.eval()(ids).state, load(tmp_path / "first", device="cpu")(ids).state
    assert 0 < (state - before).norm() < 0.2 * before.norm()
    list(gated.steps())
    kept = load(tmp_path / "gated", device="cpu")
    assert kept.about.config["cell"]["options"]["gated"] and kept.cell.gate is not None
    again = StoryTrainer(replace(config, gated=True, init=str(tmp_path / "gated")), tmp_path / "again")
    assert torch.equal(again.model.cell.gate.weight, kept.cell.gate.weight)


def test_a_row_goes_on_from_the_memory_of_its_source(config, tmp_path):
    trainer = StoryTrainer(replace(config, first=10, stream_share=0.4, stream_steps=30), tmp_path / "run")
    chunks, sources, forked = trainer.chunks, [], []

    def watched():
        for group, chunk in chunks:
            sources.append(torch.from_numpy(chunk.source))
            yield group, chunk

    def step(*tensors):
        if trainer.carried:
            assert torch.equal(tensors[-1], trainer.carried[0][sources[-1]])
            forked.append((sources[-1] != torch.arange(3)).any())
        loss, right, state = trainer._train(*tensors)
        return loss, right, torch.randn_like(state)

    trainer.step, trainer.chunks = step, watched()
    list(trainer.steps())
    assert any(forked)


def test_a_stream_is_lost_where_it_answered_wrong_and_not_where_it_was_not_asked(config, tmp_path):
    trainer = StoryTrainer(replace(config, kinds="qa4", first=13, stream_share=1.0, rows=8), tmp_path / "run")
    asked = []

    def step(*tensors):
        loss, right, state = trainer._train(*tensors)
        asked.append((tensors[-2] >= 0).any(1))
        return loss, torch.zeros_like(right), state

    trainer.step = step
    for _ in range(4):
        trainer._step()
        assert torch.equal(trainer.lost[0], asked[-1])
    assert not torch.stack(asked).all(), "of a story that told nothing yet nothing can be asked"


def test_training_on_the_same_texts_again_and_again_learns_them(config, tmp_path):
    trainer = StoryTrainer(replace(config, patience=200, go_on=False, lr=1e-2, log_every=20), tmp_path / "run")
    trainer.chunks = repeat(next(trainer.chunks))
    trainer.rungs = [replace(rung, goal=1.1) for rung in trainer.rungs]
    losses = [line["loss"] for line, _ in zip(trainer.steps(), range(5), strict=False)]
    assert losses[-1] < losses[0] / 2


def test_compiled_layers_train_as_plain_ones_do(config, tmp_path, monkeypatch):
    """Without its last stage, which writes C++ and takes minutes."""
    monkeypatch.setattr("rmt.train.story_trainer.shutil.which", lambda name: name)
    monkeypatch.setattr(torch.nn.Module, "compile", partialmethod(torch.nn.Module.compile, backend="aot_eager"))
    config = replace(config, first=9, stream_steps=6)
    runs = {
        name: StoryTrainer(replace(config, compile=name == "compiled"), tmp_path / name)
        for name in "plain compiled".split()
    }
    lines = {name: list(run.steps()) for name, run in runs.items()}
    assert [line["loss"] for line in lines["compiled"]] == pytest.approx(
        [line["loss"] for line in lines["plain"]], abs=2e-3
    )
    assert all(layer._compiled_call_impl for layer in runs["compiled"].model.backbone.layers)


def test_compiling_without_a_compiler_is_refused_with_a_sentence(config, tmp_path, monkeypatch):
    monkeypatch.setattr("rmt.train.story_trainer.shutil.which", lambda name: None)
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler, g\+\+ or clang\+\+, and none is here; leave it out"):
        StoryTrainer(replace(config, compile=True), tmp_path / "run")


def test_attention_is_trained_in_single_precision_on_a_cpu(config, tmp_path, monkeypatch):
    """Its kernel takes six times as long in bfloat16 there; the products of matrices are in bfloat16 all the same."""
    seen, plain = set(), F.scaled_dot_product_attention

    def attention(query, *args, **options):
        seen.add((query.dtype, torch.is_autocast_enabled("cpu")))
        return plain(query, *args, **options)

    monkeypatch.setattr(F, "scaled_dot_product_attention", attention)
    run = StoryTrainer(replace(config, precision="bf16"), tmp_path / "run")
    kinds = []
    run.model.backbone.layers[0].mlp.register_forward_hook(lambda module, args, output: kinds.append(output.dtype))
    next(run.steps())
    assert seen == {(torch.float32, False)} and set(kinds) == {torch.bfloat16}


def test_a_rung_opens_the_next_at_its_goal_and_ends_the_run_where_it_is_not_reached(config, tmp_path):
    config = replace(config, go_on=False, log_every=1, patience=3)
    trainer = StoryTrainer(config, tmp_path / "easy")
    trainer.rungs = [replace(rung, goal=0.0) for rung in trainer.rungs]
    names = [line["rung"] for line, _ in zip(trainer.steps(), range(4), strict=False)]
    assert names == [rung.name for rung in rungs(config)[:4]]
    trainer = StoryTrainer(config, tmp_path / "hard")
    trainer.rungs = [replace(rung, goal=1.1) for rung in trainer.rungs]
    with pytest.raises(InputError, match="'short, 4 facts' was not learned in 3 steps"):
        list(trainer.steps())


def test_a_rungs_rate_falls_with_its_patience_and_the_next_begins_with_all_of_it(config, tmp_path):
    config = replace(config, log_every=1, patience=4, rung_floor=0.5)
    trainer = StoryTrainer(config, tmp_path / "run")
    trainer.rungs = [replace(rung, goal=1.1) for rung in trainer.rungs]
    rates = [line["lr"] for line, _ in zip(trainer.steps(), range(8), strict=False)]
    assert rates == pytest.approx([share * config.lr for share in (0.875, 0.75, 0.625, 0.5)] * 2)
    far = StoryTrainer(replace(config, first=10), tmp_path / "far")
    assert next(far.steps())["lr"] == config.stream_lr


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_stopped_run_goes_on_to_its_end_and_its_streams_begin_anew(config, tmp_path, optimizer):
    config = replace(config, first=7, stream_life=1000, optimizer=optimizer)
    trainer = StoryTrainer(config, tmp_path / "run")
    line = [line for _, line in zip(range(4), trainer.steps(), strict=False)][-1]
    resumed = StoryTrainer(config, tmp_path / "run")
    assert resumed.at == trainer.at and resumed.at.rung > 7 and line["step"] == resumed.at.step
    weights = trainer.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in resumed.model.state_dict().items())
    moments, again = (
        [number for numbers in run.optimizer.state.values() for number in numbers.values()]
        for run in (trainer, resumed)
    )
    assert moments and all(torch.equal(a, b) for a, b in zip(moments, again, strict=True))
    rest = list(resumed.steps())
    rows = [json.loads(row) for row in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    steps = [row["step"] for row in rows]
    assert steps == sorted(set(steps)) and rows[-len(rest) :] == rest and rest[-1]["rung"] == "streams"
    assert not list(StoryTrainer(config, tmp_path / "run").steps())
    assert load(tmp_path / "run", device="cpu").about.classes == [*resumed.classes]
    with pytest.raises(InputError, match="other settings"):
        StoryTrainer(replace(config, lr=1.0), tmp_path / "run")


def test_a_resumed_stream_begins_from_the_initial_memory(config, tmp_path):
    last = len(rungs(config)) - 1
    config = replace(config, first=last, log_every=1, save_every=1, stream_steps=6)
    for _ in zip(range(2), StoryTrainer(config, tmp_path / "run").steps(), strict=False):
        pass
    _, chunk = next(StoryTrainer(config, tmp_path / "run").chunks)
    assert chunk.begins[chunk.old > 0][:, 0].all() and (chunk.old > 0).any()


@pytest.mark.parametrize("cell", ["armt", "transformer-xl"])
def test_other_mechanisms_learn_from_stories_too(config, tmp_path, cell):
    trainer = StoryTrainer(replace(config, cell=cell, first=6), tmp_path / "run")
    before = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    lines = list(trainer.steps())
    assert lines[-1]["rung"] == "streams" and all(np.isfinite(line["loss"]) for line in lines)
    assert any(not torch.equal(tensor, before[name]) for name, tensor in trainer.model.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"backbone": "bert"}, "an encoder reads one answer"),
        ({"cell": "rmt-r"}, "grows with the text"),
        ({"cell": "nonsense"}, "no memory cell 'nonsense'"),
        ({"kinds": "qa1,qa9"}, "no stories of 'qa9'"),
        ({"first": 99}, "--first 99"),
        ({"questions": 9}, "9 questions need a segment of 81 tokens"),
        ({"precision": "half"}, "fp32 or bf16"),
        ({"cell": "armt", "gated": True}, "Only the memory of --cell rmt"),
        ({"gate_cost": 0.1}, "add --gated"),
    ],
)
def test_what_cannot_be_trained_is_refused_with_a_sentence(config, tmp_path, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        StoryTrainer(replace(config, **settings), tmp_path / "run")


def test_a_run_may_start_from_another_and_keeps_the_classes_and_slots_they_share(config, tmp_path, caplog):
    first = StoryTrainer(replace(config, first=10), tmp_path / "first")
    list(first.steps())
    both = replace(config, kinds="qa1,qa5", init=str(tmp_path / "first"), tokenizer="")
    other = StoryTrainer(both, tmp_path / "other")
    assert "lost" not in caplog.text
    old, new = load(tmp_path / "first", device="cpu").state_dict(), other.model.state_dict()
    (name,) = (name for name in new if name.endswith("score.weight"))
    for i, known in enumerate(first.classes):
        assert torch.equal(old[name][i], new[name][other.classes.index(known)])
    assert all(torch.equal(old[key], new[key]) for key in old if key != name) and len(new[name]) > len(old[name])
    slots = old["cell.memory"]
    for n in (1, len(slots) + 3):
        resized = StoryTrainer(replace(both, n_memory=n), tmp_path / str(n)).model.cell.memory
        assert len(resized) == n and torch.equal(resized[: len(slots)], slots[:n])
        assert (f"{len(slots) - n} are lost" in caplog.text) == (n < len(slots))
        caplog.clear()
    with pytest.raises(InputError, match="another shape"):
        StoryTrainer(replace(both, width=32), tmp_path / "wide")


def test_words_begin_as_far_apart_as_is_asked_for(config, tmp_path):
    for spread in (0.02, 1.0):
        run = StoryTrainer(replace(config, word_std=spread), tmp_path / str(spread))
        words = run.model.backbone.model.get_input_embeddings().weight
        assert words.std().item() == pytest.approx(spread, rel=0.05)


@pytest.mark.parametrize("backbone", ["llama", "gpt2"])
def test_layers_that_are_added_change_nothing_and_can_learn(config, tmp_path, backbone):
    config = replace(config, first=10, backbone=backbone)
    first = StoryTrainer(config, tmp_path / "first")
    first._save()
    deeper = StoryTrainer(replace(config, layers=3, init=str(tmp_path / "first")), tmp_path / "deeper")
    ids = torch.arange(20).reshape(1, 20)
    before, after = (model.eval()(ids).logits for model in (load(tmp_path / "first", device="cpu"), deeper.model))
    assert torch.equal(before, after)
    added = {name: value.clone() for name, value in deeper.model.state_dict().items() if re.search(r"\.[12]\.", name)}
    list(deeper.steps())
    assert added and all(not torch.equal(value, deeper.model.state_dict()[name]) for name, value in added.items())
    with pytest.raises(InputError, match="as many layers or more"):
        StoryTrainer(replace(config, init=str(tmp_path / "deeper")), tmp_path / "shallower")


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_captured_step_trains_as_the_plain_one_does(config, tmp_path, optimizer):
    """Captured by a stand-in that calls the step, as a graph would be: warm-up included, results in fixed places."""

    def stand_in(run, places):
        for _ in range(3):
            results = map_state(torch.clone, run(*places))
        return lambda: map_state(torch.Tensor.copy_, results, run(*places)), results

    config = replace(
        config, first=1, cell="armt", lesson_rows=5, optimizer=optimizer
    )  # a state of two tensors; two shapes
    plain, other = (StoryTrainer(config, tmp_path / name) for name in ("plain", "captured"))
    other.step = CapturedStep(other._train, other.model, other.optimizer, stand_in)
    for a, b in zip(plain.steps(), other.steps(), strict=True):
        assert {**a, "seconds": 0} == {**b, "seconds": 0}
    assert len(other.step.captured) == 4
    weights = plain.model.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in other.model.state_dict().items())


def test_muon_trains_the_matrices_of_the_layers_and_adamw_all_else(config, tmp_path):
    trainer = StoryTrainer(replace(config, optimizer="muon"), tmp_path / "run")
    names = {parameter: name for name, parameter in trainer.model.named_parameters()}
    *others, matrices = trainer.optimizer.param_groups
    assert matrices["orthogonal"] and not any(group.get("orthogonal") for group in others)
    found = {names[p] for p in matrices["params"]}
    assert found == {name for p, name in names.items() if ".layers." in name and p.dim() == 2} and len(found) == 7
    assert sorted(names[p] for group in trainer.optimizer.param_groups for p in group["params"]) == sorted(
        names.values()
    )
    with pytest.raises(InputError, match="adamw or muon, not 'sgd'"):
        StoryTrainer(replace(config, optimizer="sgd"), tmp_path / "other")


def test_without_a_tokenizer_the_run_trains_one_and_keeps_it(config, tmp_path, monkeypatch):
    monkeypatch.setattr(
        distractor, "addresses", lambda: {str(i): text for i, text in enumerate(distractor.documents("train").values())}
    )
    config = replace(config, tokenizer="", vocabulary=300, first=11)
    trainer = StoryTrainer(config, tmp_path / "run")
    assert trainer.model.tokenizer.get_vocab_size() == 300
    made = (tmp_path / "run" / "tokenizer.json").read_bytes()
    StoryTrainer(config, tmp_path / "run")
    assert (tmp_path / "run" / "tokenizer.json").read_bytes() == made


def test_every_setting_is_an_option_of_the_command(file, tmp_path, monkeypatch, capsys):
    assert [option.name for option in options_of(StoryConfig)] == list(StoryConfig.__dataclass_fields__)

    def run(*arguments) -> int:
        monkeypatch.setattr(sys, "argv", ["rmt", "train-stories", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0

    sizes = "--layers 1 --width 16 --heads 2 --n-memory 2 --segment-length 40 --questions 2 --rows 3 --stream-steps 2"
    given = ("--tokenizer", file, "--out", tmp_path / "run", "--first", 11, "--device", "cpu", *sizes.split())
    assert run(*given, "--kinds", "qa9") == 2 and "no stories of 'qa9'" in " ".join(capsys.readouterr().err.split())
    assert run(*given, "--kinds", "qa1", "--go-on", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rung"] == "streams"
    training = json.loads((tmp_path / "run" / "config.json").read_text())["training"]
    assert training["rows"] == 3 and training["go_on"] is True and training["lr"] == StoryConfig().lr


def test_metrics_of_stories_go_to_a_tracker(config, file, tmp_path, monkeypatch):
    logged, trainer = listed(monkeypatch), StoryTrainer(replace(config, first=11), tmp_path / "run")
    track(trainer, "tensorboard", tmp_path)
    lines = list(trainer.steps())
    trainer.end()
    assert logged[0]["kinds"] == config.kinds and logged[-1] == "finished"
    assert [step for step, _ in logged[1:-1]] == [line["step"] for line in lines]
    assert [values["train/loss"] for _, values in logged[1:-1]] == [line["loss"] for line in lines]
