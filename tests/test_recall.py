"""What mechanisms give back: texts, labels, controls, training and intervals of the benchmark."""

import json
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks import recall, recall_table, recall_texts, stretched
from benchmarks.recall_first import induction_head
from benchmarks.recall_texts import ANNOUNCED, ASKED, FILL, MARK, T, one_segment, texts, unannounced
from rmt.backbone import Layout, Output
from rmt.memory.base import MemoryCell, Step
from rmt.model import Model
from rmt.tasks.interval import wilson
from rmt.text.segments import IGNORE
from rmt_viz.findings.recall import name
from rmt_viz.shelf import results

LAYOUT = Layout(slice(0, T), slice(0, 0), slice(0, 0))


class Reader(MemoryCell):
    """A cell that keeps the whole text, and continues each token as it was continued before; it cannot guess."""

    def initial(self, batch):
        return torch.zeros(batch, 0, dtype=torch.long)

    def step(self, backbone, segment, state):
        whole = torch.cat([state, segment.ids], dim=1)
        words = torch.zeros_like(segment.ids)
        for row, (before, now) in enumerate(zip(state.tolist(), segment.ids.tolist(), strict=True)):
            after = dict(reversed(list(pairwise(before))))  # as where a token stood first
            words[row] = torch.tensor([after.get(token, 0) for token in now])
        logits = F.one_hot(words, recall.SIZES["vocabulary"]).float()
        return Step(Output(logits, logits, lambda rows: rows), LAYOUT), whole

    def slots(self, state):
        return state[..., None]


@pytest.fixture
def reader():
    return Model(recall.made("none", 0).backbone, Reader(0), segment_length=T)


# Texts.


@pytest.mark.parametrize("n", recall.LESSONS)
def test_what_is_asked_was_told(n):
    some = texts(np.random.default_rng(n), "facts", n, batch=5, gap=1)
    assert some.ids.shape[1] == (-(-n // 6) + 3) * T
    for ids, labels in zip(some.ids.tolist(), some.labels.tolist(), strict=True):
        told, last = ids[: -3 * T], ids[-T:]
        pairs = {key: value for key, value in pairwise(told) if key in recall_texts.KEYS}
        assert len(pairs) == n
        asked = [i for i, label in enumerate(labels) if label != IGNORE]
        assert len(asked) == min(n, ASKED) and min(asked) > len(ids) - T
        assert all(labels[i] == ids[i] == pairs[ids[i - 1]] for i in asked)
        announced = [token for token in ids[-T - ANNOUNCED : -T] if token != FILL]
        assert announced == last[: 2 * len(asked) : 2], "the keys stand before the question, not the values"
        assert not set(ids[-3 * T : -T]) & set(recall_texts.VALUES), "no value is told between"


@pytest.mark.parametrize("n", recall.LESSONS)
def test_a_quotation_is_asked_word_for_word(n):
    some = texts(np.random.default_rng(n), "quotation", n, batch=5)
    for ids, labels in zip(some.ids.tolist(), some.labels.tolist(), strict=True):
        at = ids.index(MARK)
        quoted = ids[at : at + n + 1]
        assert at + n < T and ids[-T : -T + n + 1] == quoted and len(set(quoted)) == n + 1
        assert [label for label in labels if label != IGNORE] == quoted[1:]
        assert labels[-T] == IGNORE and labels[-T + 1 : -T + n + 1] == quoted[1:]


def test_what_nothing_announces_differs_there_alone():
    some = texts(np.random.default_rng(0), "facts", 4, batch=3)
    bare = unannounced(some)
    changed = (bare.ids != some.ids).nonzero()[:, 1] - some.ids.shape[1]
    assert (
        len(changed)
        and changed.min() >= -T - ANNOUNCED
        and changed.max() < -T
        and torch.equal(bare.labels, some.labels)
    )


def test_the_first_lesson_fits_into_a_segment(reader):
    some = one_segment(np.random.default_rng(0), 6)
    assert some.ids.shape == (6, T)
    for ids, labels in zip(some.ids.tolist(), some.labels.tolist(), strict=True):
        told = dict(zip(ids[: 2 * ASKED : 2], ids[1 : 2 * ASKED : 2], strict=True))
        assert [i for i, label in enumerate(labels) if label != IGNORE] == list(range(2 * ASKED + 1, T, 2))
        assert all(told[ids[i - 1]] == label for i, label in enumerate(labels) if label != IGNORE)


# Scores.


def test_who_keeps_the_text_is_always_right_and_never_after_a_reset(reader):
    rows = list(recall.scores(reader, documents=6, seed=0))
    assert {(row["experiment"], row["x"]) for row in rows} == {
        (experiment, n) for experiment in ("quotation", "facts") for n in recall.LESSONS
    }
    for row in rows:
        right = 0.0 if row["control"] == "reset" else 1.0
        assert row["accuracy"] == right, row
        assert (row["low"], row["high"]) == tuple(round(end, 4) for end in wilson(right, 6))
        assert row["high"] - row["low"] > 0.3, "six texts are few"


def test_a_fact_is_asked_for_farther_and_farther_until_it_is_lost(reader):
    rows = list(recall.far(reader, "none", later=[1, 3, 6], documents=4, seed=0))
    assert [(row["x"], row["control"], row["accuracy"]) for row in rows] == [
        (1, "reset", 0.0), (1, "none", 1.0), (3, "none", 1.0), (6, "none", 1.0)
    ]  # fmt: skip
    assert [row["numbers"] for row in rows[1:]] == [T, 3 * T, 6 * T], "of the text before the last two segments"
    forgetful = recall.made("none", 0).eval()
    rows = list(recall.far(forgetful, "none", later=[1, 3, 6], documents=4, seed=0))
    assert [row["x"] for row in rows] == [1, 1], "what is lost is not asked for again"


def test_a_store_has_room_for_the_whole_text():
    model = recall.made("bm25", 0).eval().requires_grad_(False)
    rows = list(recall.far(model, "bm25", later=[1, 9], documents=2, seed=0))
    assert rows[1]["numbers"] == 3 * T * 6, "an id and a place of three digits each"
    ids = texts(np.random.default_rng(0), "facts", 1, batch=2, gap=9).ids[:, : 10 * T]
    wide, state = recall.roomy(model, "bm25", recall.memory(model, ids[:, :T]), 12)
    after = recall.memory(wide, ids[:, T:], state)
    assert ((after[..., :6] != 0).any(-1).sum(1) == 10 * T).all(), "nothing that was read is gone"


def test_all_decoders_begin_with_the_same_weights():
    first = recall.made("rmt", 3).backbone.state_dict()
    for kind in ("none", "landmark", "knn-lm"):
        other = recall.made(kind, 3).backbone.state_dict()
        assert all(torch.equal(first[key], other[key]) for key in first)
    assert any(not torch.equal(first[key], value) for key, value in recall.made("rmt", 4).backbone.state_dict().items())


def test_the_decoder_begins_with_a_head_that_finds_what_followed(tmp_path):
    model = induction_head(recall.made("none", 0), 0)
    some = one_segment(np.random.default_rng(1), 32)
    with torch.no_grad():
        assert recall.ask(model, some)[1].float().mean() > 0.3, "by the head alone, untaught"
        assert recall.ask(recall.made("none", 0), some)[1].float().mean() < 0.1
    weights = recall.first_weights(0, tmp_path / "first.safetensors", steps=1)
    again = recall.first_weights(1, tmp_path / "first.safetensors", steps=1)
    assert all(torch.equal(again[key], value) for key, value in weights.items()), "kept in the file"
    one, other = (recall.made(kind, 0, weights).backbone.state_dict() for kind in ("rmt", "landmark"))
    assert all(torch.equal(one[key], other[key]) for key in weights)
    recall.made("rwkv", 0, weights)  # has its own


def test_training_moves_weights_and_lessons_last_their_share(monkeypatch):
    read, make = [], recall._batch
    monkeypatch.setattr(recall, "_batch", lambda rng, lesson, *more: read.append(lesson) or make(rng, lesson, *more))
    model = recall.made("rmt", 0)
    before = [parameter.clone() for parameter in model.parameters()]
    about = recall.train(model, 12, seed=0, batch=1, lr=1e-3, say=str)
    assert about == {"steps": 12, "learned": {}}
    assert not any(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
    assert all(lesson <= step // 2 - 1 for step, lesson in enumerate(read)) and max(read) == 4 and read[:2] == [-1, -1]


def test_what_is_learned_ends_a_lesson_and_the_training(monkeypatch):
    monkeypatch.setattr(recall, "ask", lambda model, some: (next(model.parameters()).sum() * 0, torch.ones(1, 1)))
    about = recall.train(recall.made("none", 0), 800, seed=0, batch=1, lr=1e-3, say=str)
    assert list(about["learned"]) == ["0", "1", "2", "4", "8", "16"]
    assert about["steps"] == about["learned"]["16"] + 100 < 800


def test_the_command_prints_one_document_and_joins_several(tmp_path, monkeypatch, capsys):
    paths = []
    recall.first_weights(0, tmp_path / "first.safetensors", steps=1)
    for seed in ("0", "1"):
        arguments = ["none", "rmt", "--steps", "2", "--batch", "2", "--documents", "4", "--later", "1", "--json"]
        arguments += ["--first", str(tmp_path / "first.safetensors")]
        monkeypatch.setattr(sys, "argv", ["recall", *arguments, "--seed", seed])
        recall.main()
        paths.append(tmp_path / f"{seed}.json")
        paths[-1].write_text(capsys.readouterr().out)
    one = json.loads(paths[0].read_text())
    assert [(about["mechanism"], about["steps"], about["numbers"]) for about in one["models"]] == [
        ("none", 2, 0), ("rmt", 2, 8 * 64)
    ]  # fmt: skip
    assert all(row["low"] <= row["accuracy"] <= row["high"] for row in one["results"])
    monkeypatch.setattr(sys, "argv", ["recall", "--join", *map(str, paths)])
    recall.main()
    both = json.loads(capsys.readouterr().out)
    assert len(both["results"]) == 2 * len(one["results"]) and len(both["commands"]) == 2
    assert {row["seed"] for row in both["results"]} == {0, 1}


def test_the_table_of_the_documentation_has_all_that_was_trained():
    made = recall_table.table()
    kinds = {one.mechanism for one in results.read("recall").rows}
    rows = [line for line in made.splitlines() if line.startswith("| ")][1:]
    assert {line.split(" | ")[0].removeprefix("| ") for line in rows} == {name(kind) for kind in kinds}
    assert made.startswith(f"{len(kinds)} mechanisms around one small decoder")


# Texts longer than trained on.


def test_a_window_is_read_at_squeezed_positions():
    model = recall.made("none", 0).double()
    ids = torch.arange(4 * T + 1)[None]
    assert torch.equal(
        stretched.loss(stretched.stretched(model, 4, squeezed=False), ids, 8)[0], _stock(model, ids, 1)[-8:]
    )
    squeezed = stretched.loss(stretched.stretched(model, 4, squeezed=True), ids, 8)[0]
    assert (squeezed - _stock(model, ids, 4)[-8:]).abs().max() < 1e-12
    assert (squeezed - _stock(model, ids, 1)[-8:]).abs().max() > 1e-6


def _stock(model, ids, factor):
    places = torch.arange(ids.shape[1] - 1, dtype=torch.float64)[None] / factor
    with torch.no_grad():
        logits = model.backbone.model(input_ids=ids[:, :-1], position_ids=places).logits[0]
    return F.cross_entropy(logits, ids[0, 1:], reduction="none")
