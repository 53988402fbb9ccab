"""Capacity: a memory planted to keep the latest so many facts, and what is counted of it; then the page's words."""

import functools
import json

import numpy as np
import pytest
import torch
from app_pages import open_page
from torch import nn

from rmt.backbone import Layout, Output
from rmt.causes.capacity import capacity, one_by_one
from rmt.errors import InputError
from rmt.memory.base import MemoryCell, Step
from rmt.model import About, Model
from rmt.tasks import distractor
from rmt.tasks.babi_words import CROWD, NEVER
from rmt.tasks.base import ACTIONS, PLACES
from rmt.text.tokenizer import train_tokenizer
from rmt_viz.figures import capacity as figures
from rmt_viz.findings import capacity as findings
from rmt_viz.shelf import results

CLASSES = [*PLACES, NEVER]
ADDRESSES = {"a": "The union is strong. We have a treaty with all nations. Peace is our first care. So be it."}


@pytest.fixture(autouse=True)
def addresses(monkeypatch):
    monkeypatch.setattr(distractor, "documents", lambda split: ADDRESSES)


@functools.cache
def tokenizer():
    """Names and places are one token each."""
    told = [f"{name} {how} to the {place}. Where is {name}?" for name in CROWD for how in ACTIONS for place in PLACES]
    return train_tokenizer([*told, *[f"Where is {name}?" for name in CROWD] * 99], size=480)


class Ids(nn.Module):
    """A backbone that passes token ids through."""

    dim, n_layers, n_heads, causal, head, fused = 2, 1, 1, True, "classify", True
    cls_id = sep_id = n_positions = None

    def __init__(self):
        super().__init__()
        self.model = nn.Identity()
        self.model.get_input_embeddings = lambda: nn.Embedding(tokenizer().get_vocab_size(), 2)


class LatestFacts(MemoryCell):
    """State (B, M, 2): number of a person and of a place of the latest M facts, counted from 1; 0 is empty."""

    def __init__(self, n_memory: int):
        super().__init__(2, n_memory)
        self.unused = nn.Parameter(torch.zeros(1))
        known = tokenizer().get_vocab()
        (self.people, self.places) = (
            {i: word.strip("Ġ ") for word, i in known.items() if word.strip("Ġ ") in words} for words in (CROWD, PLACES)
        )

    def initial(self, batch: int) -> torch.Tensor:
        return torch.zeros(batch, self.n_memory, 2)

    def step(self, backbone, segment, state):
        after, logits = state.clone(), torch.zeros(len(state), len(CLASSES))
        for b, row in enumerate(segment.ids.tolist()):
            person = None
            for token in row:
                if token in self.people:
                    person = CROWD.index(self.people[token]) + 1
                elif token in self.places and person:
                    fact = torch.tensor([[person, PLACES.index(self.places[token]) + 1]], dtype=state.dtype)
                    after[b], person = torch.cat([after[b, 1:], fact]), None
            held = {int(who): int(where) - 1 for who, where in after[b].tolist() if who}
            logits[b, held.get(person, len(PLACES))] = 9
        return Step(Output(logits[:, None], logits, nn.Identity()), Layout(slice(0, segment.ids.shape[1]))), after

    def slots(self, state):
        return state


def keeping(n: int, length: int = 48, **about) -> Model:
    """A model that remembers the latest n facts and nothing else."""
    known = {"task": "many-facts", "classes": CLASSES, **about}
    return Model(
        Ids(), LatestFacts(n), segment_length=length, tokenizer=tokenizer(), about=About("kept", **known)
    ).eval()


def test_a_memory_of_four_facts_holds_four_and_forgets_the_first():
    # One long segment, so that no boundary cuts a fact: this memory cannot put two halves together.
    few, many = capacity(keeping(4, 200), told=[3, 8], segments=1, documents=12)
    assert (few.accuracy, few.low, few.high, few.held, few.by_order) == (1, 1, 1, 3, (1, 1, 1))
    assert many.by_order == (0, 0, 0, 0, 1, 1, 1, 1) and many.accuracy == 0.5
    assert many.held == pytest.approx(8 * (0.5 - 1 / 6) / (5 / 6)) and few.never == many.never == 1


def test_with_memory_reset_nothing_is_held():
    (row,) = capacity(keeping(4), told=[3], segments=4, documents=12, reset=True)
    assert (row.accuracy, row.held, row.never) == (0, 0, 1)


def test_one_by_one_says_who_is_forgotten_and_who_moved():
    facts = [("Mary", "garden"), ("Tom", "office"), ("Mary", "kitchen"), ("Ruth", "garden")]
    answers = one_by_one(keeping(3), facts)
    words = np.array(CLASSES)[answers.argmax(-1)]
    assert answers.shape == (5, 3, len(CLASSES)) and (words[0] == NEVER).all()
    assert words[1:].tolist() == [
        ["garden", NEVER, NEVER],
        ["garden", "office", NEVER],
        ["kitchen", "office", NEVER],
        ["kitchen", "office", "garden"],
    ]
    right = findings.correct(one_by_one(keeping(2), facts), facts, CLASSES)
    assert right[-1] == [True, False, True]
    assert findings.live(one_by_one(keeping(2), facts), facts, CLASSES) == (
        "2 of 3 people are answered right; with the last fact Tom was lost"
    )


@pytest.mark.parametrize(("facts", "match"), [([("Ada", "garden")], "Ada"), ([("Mary", "attic")], "attic")])
def test_names_that_it_cannot_know_are_said(facts, match):
    with pytest.raises(InputError, match=match):
        one_by_one(keeping(2), facts)


def test_another_task_and_too_many_people_are_refused():
    with pytest.raises(InputError, match="not trained on the task many-facts"):
        next(capacity(keeping(2, task="detect"), told=[2]))
    with pytest.raises(InputError, match="1 to 20 people"):
        next(capacity(keeping(2), told=[21]))


def row(slots: int, told: int, control: str = "none", **other) -> dict:
    held = min(slots, told) if control == "none" else 0
    known = {"checkpoint": f"m{slots}", "mechanism": "rmt", "slots": slots, "numbers": 64 * slots, "control": control}
    known |= {"told": told, "segments": 7, "documents": 9, "accuracy": held / told, "low": 0, "high": 1, "held": held}
    return known | {"held_low": held, "held_high": held, "by_order": [0.0, 1.0], "never": 1, **other}


def test_the_page_says_what_each_memory_holds_of_the_most(tmp_path):
    rows = [row(4, 16), row(8, 16), row(4, 2), row(4, 16, "reset"), row(4, 16, segments=99)]
    (tmp_path / "capacity.json").write_text(json.dumps({"command": "c", "results": rows}))
    curves = findings.curves(results.read("capacity", tmp_path).rows, 7)
    assert list(curves) == ["RMT, 4 slots", "RMT, 8 slots", "RMT, 4 slots, memory reset"]
    assert [r.told for r in curves["RMT, 4 slots"]] == [2, 16]
    assert findings.finding(curves) == "Of 16 facts 4 slots hold 4.0 and 8 slots hold 8.0"
    assert findings.order(curves).endswith("0% of the first 1 are right, 100% of the last 1")
    for theme in ("light", "dark"):
        drawn = figures.held(curves, "a finding", theme=theme)
        assert {t.name for t in drawn.data if t.name} == set(curves)
        assert len(figures.order(curves, "a finding", theme=theme).data) == 2


def test_the_live_picture_has_a_cell_for_each_person_told_of_and_marks_wrong_answers():
    facts = [("Mary", "garden"), ("Tom", "office"), ("Ruth", "garden")]
    answers = one_by_one(keeping(2), facts)
    (cells,) = figures.live(answers, facts, CLASSES, "a finding").data
    assert np.isnan(cells.z[1][0]) and cells.z[0][0] > 0.9 and cells.z[0][2] < 0.1
    assert cells.text[0][2] == f"✗ {NEVER}" and cells.text[2][2] == "garden"


def test_memories_stand_by_their_slots_and_that_of_most_is_asked_first():
    choice = open_page("capacity").button_group(key="capacity checkpoint")
    assert choice.options == ["many-facts-8", "many-facts-16"] and choice.value == "many-facts-16"


def test_one_more_person_leaves_those_before_as_they_are():
    assert findings.people_in_places(7, 3)[:6] == findings.people_in_places(6, 3)
    assert len({name for name, _ in findings.people_in_places(20, 3)}) == 20
    assert len({place for _, place in findings.people_in_places(6, 3)}) == 6, "no place word answers for two"
