"""The tour: what it says of the bundled runs is what they show."""

import json
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

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
    run, s = stop("A move is written")
    turned = [one for one in run.measures.followed if one.answer[s] != one.answer[s + 1]]
    assert run.measures.who() in turned and len(turned) < len(run.measures.followed), "whose it is, not a place alone"
    run, s = stop("One fact replaces another")
    who = run.measures.who()
    assert who.answer[s] != who.answer[s + 1] == who.truth[s + 1] and who.told[s], "somebody who was told of"
    run, s = stop("What is known is kept")
    assert run.measures.slot_mean[s] < 0.25 * run.measures.slot_mean.max()
    assert all(one.answer[s] == one.answer[s + 1] for one in run.measures.followed)
    run, s = stop("The control: without memory")
    right, told = np.sum([one.score() for one in run.measures.followed], 0)
    assert right < told / 2, "right in the segment that tells of them, and wrong after it"
    run, s = stop("A longer text")
    assert run.trace.n_segments == 64 and len(run.trace.arrays["ids"]) == 4096


def test_questions_are_answered_by_the_run_that_is_there(make_trace):
    people = {"people": ("Mary", "John", "Daniel"), "classes": ["garden", "office", "kitchen", "never mentioned"]}
    run = Library(make_trace("toy", **people).path.parent).open("toy")
    written, nothing = tour._written(run, 5), tour._written(run, 4)
    assert written.right == 1 and "Mary, from garden to office. About John and Daniel it stays" in written.told
    assert nothing.right == 0 and nothing.told == "About nobody."
    replaced = tour._replaced(run, 5)
    assert replaced.choices[:2] == ("garden", "office") and replaced.right == 1 and "about Mary" in replaced.text
    assert tour._everybody(run, 5).right == 2 and "3 of 3 are right" in tour._everybody(run, 5).told
    late = tour._everybody(run, 7)
    assert late.right == 1 and "Daniel: never mentioned (it is kitchen)" in late.told and "2 of 3 are" in late.told
    assert "89% of the answers about somebody told of" in tour._far(run, 7).told, "7, 6 and 3 of 7, 6 and 5"
    assert tour._look(run, 7).right == 2
    assert "96 tokens" not in tour._size(run, 3).text and "36 tokens" in tour._size(run, 3).text
    assert "24 numbers" in tour._size(run, 3).choices[2]  # 4 slots of width 6


def test_a_run_that_is_missing_leaves_a_sentence(tmp_path):
    told = tour.laid_out(tour.STEPS[0], Library(tmp_path).open)
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
    watch = data["steps"][5]["watch"]
    assert (watch["trace"], watch["control"]) == ("qa1", "reset") and watch["segment"] > 0
