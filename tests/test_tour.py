"""The tour: what it says of the bundled runs is what they show."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rmt_viz import session
from rmt_viz.components import tour as page
from rmt_viz.findings import tour
from rmt_viz.shelf.library import Library

ROOT = Path(__file__).parent.parent
SHELF = Library(ROOT / "assets" / "traces")
TITLES = [step.title for step in tour.STEPS]


def stop(title: str):
    step = next(step for step in tour.STEPS if step.title == title)
    run = SHELF.open(step.trace)
    return run, tour.at(step, run)


@pytest.mark.parametrize("step", tour.STEPS, ids=TITLES)
def test_a_step_asks_what_its_run_can_answer(step):
    run, s = stop(step.title)
    asked = step.ask(run, s)
    assert 0 <= asked.right < len(asked.choices) == len(set(asked.choices)) and asked.told.endswith(".")
    beats = {beat.kind for beat in run.measures.beats}
    assert step.beat in beats or (step.beat == "last" and s == run.trace.done - 1)
    blocks = {part["block"] for line in step.equations for part in tour.symbols(line)} - {""}
    assert blocks <= {"memory", "tokens", "input", "model", "next", "output", "answer"} and blocks


def test_what_is_to_be_looked_for_is_there():
    run, s = stop("A fact is written")
    assert run.trace.segments[s].tokens[int(np.argmax(run.trace.segments[s].token_write))].strip() == run.trace.answer
    assert np.argmax(run.measures.slot_mean) == s
    run, s = stop("The fact is kept")
    assert run.measures.slot_mean[s] < 0.05 * run.measures.slot_mean.max() and run.measures.knows[s:].min() > 0.9
    run, s = stop("The control: without memory")
    wrote = next(beat.segment for beat in run.measures.beats if beat.kind == "write")
    assert run.measures.knows[wrote + 1] > 0.9 and run.measures.knows[wrote + 2 :].max() < 0.1
    run, s = stop("As long as it was trained to hold")
    assert run.trace.n_segments > 2 * 7
    run, s = stop("A second fact is told")
    assert np.ptp(run.measures.change[s]) > tour.ALIKE * run.measures.change[s].mean()


def test_questions_are_answered_by_the_run_that_is_there(make_trace):
    shelf = Library(make_trace("toy", fact=3).path.parent)
    run = shelf.open("toy")
    moved = run.measures.change[3]
    asked = tour._slot(run, 3)
    assert asked.right in (int(np.argmax(moved)), len(moved))
    assert tour._sure(run, 6).right == 2 and tour._far(run, 7).right == 0 and tour._look(run, 7).right == 2
    make_trace("toy.reset", fact=None, control="reset")
    reset = shelf.open("toy.reset")
    assert tour._without(reset, 7).right == 1 and tour._sure(reset, 7).right == 0 and tour._far(reset, 7).right == 1
    assert "96 tokens" not in tour._size(run, 3).text and "36 tokens" in tour._size(run, 3).text
    assert "24 numbers" in tour._size(run, 3).choices[2]  # 4 slots of width 6


def test_a_run_that_is_missing_leaves_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(session, "library", lambda: Library(tmp_path))
    told = page.laid_out(tour.STEPS[0])
    assert "not among the recorded ones" in told["missing"] and "question" not in told and told["equations"]


@pytest.mark.parametrize(("asked", "first"), [("3", 3), ("99", 1), ("<b>", 1), ("", 1)])
def test_the_address_opens_a_step(asked, first):
    def script():
        from rmt_viz.pages import tour

        tour.page()

    at = AppTest.from_function(script, default_timeout=60)
    at.query_params["step"] = asked
    at.run()
    assert not at.exception, at.exception
    data = json.loads(at.get("bidi_component")[0].proto.json)
    assert data["first"] == first and [step["title"] for step in data["steps"]] == TITLES
    assert data["steps"][4]["watch"].startswith("watch?trace=detect&control=reset&segment=")
