import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.memory import CELLS
from rmt.tasks.corpora import open_corpus
from rmt.tasks.language_model import Documents
from rmt.train.language_models import LMTrainer
from rmt.train.lm_config import LMConfig, draw, longest, rate

WORDS = "the union of states has a treaty with nations and peace at home is our first care this year".split()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("corpus")
    rng = random.Random(0)
    for i in range(9):
        (folder / f"{i}.txt").write_text(" ".join(rng.choices(WORDS, k=400)))
    return str(folder)


@pytest.fixture
def tiny(corpus) -> LMConfig:
    return LMConfig(
        corpus=corpus, steps=4, segments=3, batch=6, layers=1, width=16, heads=2, vocabulary=300, n_memory=2,
        segment_length=16, log_every=1, save_every=1, warmup=1,
    )  # fmt: skip


def run(config, folder, **options):
    trainer = LMTrainer(config, folder, cpu=True, **options)
    return trainer, list(trainer.steps())


def test_history_grows_to_its_end_and_the_rate_falls_to_its_floor():
    config = LMConfig(steps=100, segments=5, growth=0.4, warmup=10, lr=1.0, floor=0.1)
    grown = [longest(config, step) for step in range(100)]
    assert grown == sorted(grown) and grown[0] == 2 and grown[39:] == [5] * 61
    assert longest(replace(config, segments=1), 0) == 1
    for schedule in ("cosine", "linear"):
        rates = [rate(replace(config, schedule=schedule), step) for step in range(101)]
        assert rates[:10] == pytest.approx(np.arange(1, 11) / 10) and rates[100] == pytest.approx(0.1)
        assert rates[10:] == sorted(rates[10:], reverse=True)


def test_every_mechanism_reads_the_same_tokens_in_the_same_order(tiny, tmp_path, monkeypatch):
    read = {}
    for cell in ("rmt", "none", "transformer-xl"):
        trainer = LMTrainer(replace(tiny, cell=cell), tmp_path / cell, cpu=True)
        losses, seen = trainer._losses, read.setdefault(cell, [])
        monkeypatch.setattr(
            trainer, "_losses", lambda ids, losses=losses, seen=seen: (seen.append(ids), losses(ids))[1]
        )
        list(trainer.steps())
    for rows in zip(*read.values(), strict=True):
        assert all(torch.equal(rows[0], other) for other in rows[1:])
    assert len({rows.shape[1] for rows in read["rmt"]}) > 1  # mixed lengths


def test_processes_share_a_step_in_equal_parts(tiny, corpus, tmp_path):
    trainer = LMTrainer(tiny, tmp_path, cpu=True)
    documents = Documents(trainer.model.tokenizer, open_corpus(corpus).train)
    assert all(len(draw(tiny, documents, step, processes=4)) % 4 == 0 for step in range(4))


def same_logits(stored, trained, n_tokens=40) -> bool:
    """Whether a checkpoint is the model that was trained, as far as half precision tells."""
    ids = torch.arange(n_tokens)[None]
    with torch.no_grad():
        return torch.allclose(stored(ids).logits, trained.eval()(ids).logits, rtol=0, atol=5e-3)


@pytest.mark.parametrize("cell", CELLS)
def test_every_mechanism_trains_and_its_checkpoint_opens(cell, tiny, tmp_path):
    config = replace(tiny, cell=cell, layers=2 if cell == "rwkv" else 1)
    trainer, lines = run(config, tmp_path)
    assert [line["step"] for line in lines] == [1, 2, 3, 4] and all(np.isfinite(line["loss"]) for line in lines)
    model = load(tmp_path, device="cpu")
    assert same_logits(model, trainer.model)
    assert model.about.task == "language_model"


def test_training_lowers_the_loss(tiny, tmp_path):
    _, lines = run(replace(tiny, steps=40, lr=1e-2, log_every=10, save_every=40), tmp_path)
    assert lines[-1]["loss"] < lines[0]["loss"] - 0.5


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tiny, tmp_path):
    config = replace(tiny, steps=6, save_every=2)
    run(config, tmp_path / "whole")
    run(config, tmp_path / "killed", until=1)
    trainer = LMTrainer(config, tmp_path / "killed", cpu=True)
    for _, line in zip(range(4), trainer.steps(), strict=False):
        assert line  # the fifth step is lost: the last save was the fourth's
    run(config, tmp_path / "killed")
    whole, killed = (load(tmp_path / name, device="cpu").state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
    steps = [json.loads(line)["step"] for line in (tmp_path / "killed" / "metrics.jsonl").read_text().splitlines()]
    assert steps == [1, 2, 3, 4, 5, 6]
    with pytest.raises(InputError, match=r"other settings \(lr\)"):
        LMTrainer(replace(config, lr=0.5), tmp_path / "killed", cpu=True)


def test_a_run_starts_from_a_backbone_with_another_memory(tiny, tmp_path):
    run(replace(tiny, cell="none"), tmp_path / "base")
    base = load(tmp_path / "base", device="cpu")
    fresh = LMTrainer(replace(tiny, init=str(tmp_path / "base")), tmp_path / "rmt", cpu=True).model
    for name, tensor in base.backbone.state_dict().items():
        assert torch.equal(tensor, fresh.backbone.state_dict()[name])
    assert fresh.cell.n_memory == 2
    with pytest.raises(InputError, match="of another shape"):
        LMTrainer(replace(tiny, init=str(tmp_path / "base"), width=32), tmp_path / "wide", cpu=True)


def test_exact_context_reads_segments_at_once(tiny, tmp_path):
    trainer, _ = run(replace(tiny, cell="none", at_once=3), tmp_path)
    assert trainer.model.segment_length == 48
    model = load(tmp_path, device="cpu")  # opens as the cell that keeps the text
    assert type(model.cell).__name__ == "ExactContext" and model.segment_length == 16
    assert same_logits(model, trainer.model, n_tokens=48)
    with pytest.raises(InputError, match="exact context"):
        LMTrainer(replace(tiny, at_once=3), tmp_path / "other", cpu=True)


def gradients(config, folder) -> list[torch.Tensor]:
    trainer = LMTrainer(config, folder, cpu=True)
    trainer.model.double()
    ids = torch.from_numpy(trainer.documents.windows(np.random.default_rng(0), 2, 48))
    trainer._losses(ids)[0].mean().backward()
    return [p.grad for p in trainer.parameters]


def test_checkpointing_changes_no_gradient_and_truncation_does(tiny, tmp_path):
    whole = gradients(tiny, tmp_path / "whole")
    again = gradients(replace(tiny, checkpointing=True), tmp_path / "again")
    short = gradients(replace(tiny, bptt_unroll=1), tmp_path / "short")
    assert all(torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in zip(whole, again, strict=True))
    assert not all(torch.allclose(a, b, rtol=1e-3) for a, b in zip(whole, short, strict=True))


@pytest.fixture(scope="module")
def stock(tmp_path_factory, corpus) -> Path:
    """A small language model as transformers saves one, with a tokenizer beside it."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from rmt.text.tokenizer import train_tokenizer

    folder = tmp_path_factory.mktemp("stock")
    tokenizer = train_tokenizer(open_corpus(corpus).train["text"], size=300)
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    LlamaForCausalLM(LlamaConfig(vocab_size=tokenizer.get_vocab_size(), **sizes)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("lora", [2, 0])
def test_memory_around_a_pretrained_backbone_with_adapters_or_all_of_it(lora, tiny, stock, tmp_path):
    config = replace(tiny, pretrained=str(stock), lora=lora, lr=1e-2)
    before = load(stock, segment_length=16, device="cpu").backbone.state_dict()
    trainer, _ = run(config, tmp_path)
    model = load(tmp_path, device="cpu")
    assert same_logits(model, trainer.model)
    after = model.backbone.state_dict()
    kept = [torch.allclose(tensor, after[name], atol=1e-4) for name, tensor in before.items() if name in after]
    assert all(kept) if lora else not all(kept)
    assert (tmp_path / "adapter.safetensors").exists() == bool(lora)


def test_slots_learn_to_recite_the_last_tokens(tiny, tmp_path):
    """The second loss is of the tokens that end each segment, and where it has weight it falls."""
    config = replace(tiny, steps=120, shorter=0.0, recite=1.0, lr=2e-2, log_every=30)
    trainer, lines = run(config, tmp_path / "on")
    assert lines[-1]["recited"] < lines[0]["recited"] - 0.5
    ids = torch.from_numpy(draw(config, trainer.documents, 119))
    memory = trainer.model(ids).memory  # (B, 4, 2, D)
    logits = trainer.model.backbone.unembed(memory[:, 1:].flatten(0, 2)).unflatten(0, (-1, 3, 2))
    wanted = torch.stack([ids[:, 14:16], ids[:, 30:32], ids[:, 46:48]], dim=1)  # (B, 3, 2)
    by_hand = F.cross_entropy(logits.flatten(0, 2), wanted.flatten())
    assert torch.allclose(trainer._recited(ids, memory), by_hand)
    assert "recited" not in run(tiny, tmp_path / "off")[1][0]


def test_adapters_go_where_they_are_asked_for(tiny, stock, tmp_path):
    run(replace(tiny, pretrained=str(stock), lora=2, lora_targets="o_proj,up_proj"), tmp_path)
    names = [name for name, _ in load(tmp_path, device="cpu").named_parameters() if ".lora_A" in name]
    assert {name.split(".")[-4] for name in names} == {"o_proj", "up_proj"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"cell": "sieve"}, "no memory cell 'sieve'"),
        ({"schedule": "steps"}, "cosine or a linear"),
        ({"lora": 4}, "--pretrained"),
        ({"recite": 1.0, "cell": "none"}, "Only slots of --cell rmt recite"),
        ({"recite": 1.0, "n_memory": 17}, "at most one for every token"),
        ({"steps": 0}, "1 or more"),
        ({"corpus": "/nowhere"}, "no corpus"),
        ({"segments": 400, "steps": 1}, "No document is"),
    ],
)
def test_what_cannot_be_trained_is_said_in_a_sentence(change, sentence, tiny, tmp_path):
    with pytest.raises(InputError, match=sentence):
        run(replace(tiny, **change), tmp_path)
