"""What tests of training on stories share: a background of four sentences, a tokenizer, a tiny run and its texts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rmt.checkpoint.build import build
from rmt.tasks import distractor
from rmt.tasks.babi import CLASSES
from rmt.text.tokenizer import open_tokenizer, train_tokenizer
from rmt.train import stories
from rmt.train.config import StoryConfig
from rmt.train.stories import StoryStreams, vocabulary_texts
from rmt.train.story_trainer import StoryTrainer

torch.set_num_threads(1)
ADDRESSES = {
    "a": "The union is strong. We have a treaty with all nations.",
    "b": "Peace at home is our first care. So be it.",
}


@pytest.fixture(scope="module", autouse=True)
def addresses():
    """Background of four sentences, so that nothing takes long."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (distractor, stories):
            patch.setattr(module, "documents", lambda split: ADDRESSES)
        yield


@pytest.fixture(scope="module")
def file(addresses, tmp_path_factory):
    file = tmp_path_factory.mktemp("words") / "tokenizer.json"
    train_tokenizer(vocabulary_texts(np.random.default_rng(0), rounds=30), size=500).save(str(file))
    return file


@pytest.fixture
def config(file) -> StoryConfig:
    """A run of seconds: every rung is left after two steps, the last after three."""
    return StoryConfig(
        tokenizer=str(file), layers=1, width=16, heads=2, n_memory=2, segment_length=40, questions=2, rows=3,
        lesson_rows=3, warmup=1, patience=2, go_on=True, stream_steps=3, log_every=2, save_every=2,
    )  # fmt: skip


@pytest.fixture
def texts(file):
    """texts(rung, ...) are texts of these rungs, six side by side."""
    return lambda *stages: StoryStreams(list(stages), CLASSES, open_tokenizer(file), 6, 48, 3, np.random.default_rng(0))


@pytest.fixture
def model(config, tmp_path):
    """The model of a run, in float64."""
    trainer = StoryTrainer(replace(config, layers=2, segment_length=48), tmp_path / "model")
    spec = {**trainer.spec, "classes": list(CLASSES)}
    spec["backbone"] = {**spec["backbone"], "config": {**spec["backbone"]["config"], "num_labels": len(CLASSES)}}
    spec["backbone"]["config"] |= {"id2label": {i: str(i) for i in range(len(CLASSES))}}
    return build(spec, trainer.model.tokenizer).double()
