"""The Tour: what it says of the bundled runs and tables is what they show."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from rmt.errors import InputError
from rmt_viz.findings import evidence, tour, tour_charts
from rmt_viz.findings import tour_claims as claims
from rmt_viz.findings.essay import Charts, Sources, Surface, at, laid_out, symbols
from rmt_viz.shelf import menu, results
from rmt_viz.shelf.library import Library

ROOT = Path(__file__).parent.parent
SHELF = Library(ROOT / "assets" / "traces")
SOURCES = Sources(SHELF.open, results.read)
RUNS = [step for step in tour.STEPS if isinstance(step.figure, Surface)]
PEOPLE = {"people": ("Mary", "John", "Daniel"), "classes": ["garden", "office", "kitchen", "never mentioned"]}


def stop(slug: str):
    step = next(step for step in tour.STEPS if step.slug == slug)
    run = SHELF.open(step.figure.trace)
    return run, at(step.figure, run)


@pytest.mark.parametrize("data", tour.essay(SOURCES), ids=tour.SLUGS)
def test_a_step_has_a_picture_and_a_sentence_that_says_what_it_shows(data):
    assert data["kind"] != "missing" and data["claim"].endswith(".") and data["look"].endswith(".")
    assert all(part.endswith(".") for part in data["text"]) and all(path in menu.ALL for path, *_ in data["links"])
    blocks = {part["block"] for line in data["equations"] for part in line} - {""}
    assert blocks <= {"memory", "tokens", "input", "model", "next", "output", "answer"}
    json.dumps(data, allow_nan=False)


@pytest.mark.parametrize("step", RUNS, ids=[step.slug for step in RUNS])
def test_a_step_asks_what_its_run_can_answer(step):
    run = SHELF.open(step.figure.trace)
    s = at(step.figure, run)
    asked = step.figure.ask(run, s)
    assert 0 <= asked.right < len(asked.choices) == len(set(asked.choices)) and asked.told.endswith(".")
    beats = {beat.kind for beat in run.measures.beats}
    assert step.figure.beat in beats or (step.figure.beat == "last" and s == run.trace.done - 1)


def test_what_is_to_be_looked_for_is_there():
    run, s = stop("written")
    turned = [one for one in run.measures.followed if one.answer[s] != one.answer[s + 1]]
    assert run.measures.who() in turned and len(turned) < len(run.measures.followed), "whose it is, not a place alone"
    run, s = stop("replaced")
    who = run.measures.who()
    assert who.answer[s] != who.answer[s + 1] == who.truth[s + 1] and who.told[s], "somebody who was told of"
    run, s = stop("kept")
    assert run.measures.slot_mean[s] < 0.25 * run.measures.slot_mean.max()
    assert all(one.answer[s] == one.answer[s + 1] for one in run.measures.followed)
    run, s = stop("without")
    right, told = np.sum([one.score() for one in run.measures.followed], 0)
    assert right < told / 2, "right in the segment that tells of them, and wrong after it"
    run, s = stop("far")
    assert run.trace.n_segments == 64 and len(run.trace.arrays["ids"]) == 4096


@pytest.mark.parametrize("slug", ["replaced", "kept", "read"])
def test_a_claim_of_cause_has_its_intervention_and_its_control_beside_it(slug):
    run, s = stop(slug)
    table = next(step for step in RUNS if step.slug == slug).figure.evidence(SOURCES, run, s)
    answers = {condition: answer for condition, answer, _ in table.rows}
    told, reset = answers.pop(evidence.TOLD), answers[evidence.RESET]
    changed, both = (answers[condition] for condition in answers if condition.startswith("changed"))
    assert changed != told != reset == both and changed in next(c for c in answers if c.startswith("changed"))
    assert evidence.UNTRAINED in answers


def test_a_sentence_names_a_cause_only_where_both_its_intervention_and_its_control_are_at_hand():
    class Unchanged(Sources):
        def changed(self, id):
            return None

    run, s = stop("read")
    with_both, with_one = (claims.read(of, run, s) for of in (SOURCES, Unchanged(SHELF.open, results.read)))
    assert "the answer hangs on the fact, and the fact comes by memory" in with_both
    assert "hangs on" not in with_one and "with memory reset" in with_one.lower()
    run, s = stop("kept")
    right = [sum(one.right[s + 1] == 1 for one in SHELF.open(id).measures.followed) for id in ("qa1", "qa1.reset")]
    told = claims.kept(SOURCES, run, s)
    assert f"After it {right[0]} of 4" in told and f"at each boundary, {right[1]} of 4" in told and right[0] > right[1]


def test_the_evidence_is_asked_of_each_run():
    run = SHELF.open("qa1")
    rows = evidence.table(SOURCES, "qa1", "John", 12).rows
    for (condition, answer, p), id in zip(rows[-2:], ("qa1.reset", "qa1.untrained"), strict=True):
        other = SHELF.open(id)
        q = [question["name"] for question in other.trace.questions].index("John")
        shares = other.trace.arrays["asked_each"][12][q]
        assert answer == other.trace.classes[shares.argmax()] and p == pytest.approx(shares.max()), condition
    first, says = evidence.edit(SOURCES.changed("qa1"))
    assert (
        says == "John moved to the garden." and claims.tells(run, first, "John") and not claims.tells(run, 11, "John")
    )
    early = [condition for condition, *_ in evidence.table(SOURCES, "qa1", "John", first).rows]
    assert not [condition for condition in early if condition.startswith("changed")], "nothing of it was read by then"


def test_sentences_say_what_the_run_that_is_there_shows(tmp_path):
    from conftest import write_trace

    write_trace(tmp_path / "toy.trace.safetensors", **PEOPLE)
    sources = Sources(Library(tmp_path).open, results.read)
    run = sources.open("toy")
    alone = claims.written(sources, run, 5)
    assert "After segment 6 the answer about Mary is office (0.90); before it, garden." in alone
    assert alone.endswith("it is office (0.90).") and "carried" not in alone, "no control, no cause"
    write_trace(tmp_path / "toy.reset.trace.safetensors", **PEOPLE, control="reset")
    assert "this run does not show that memory carried it" in claims.written(sources, run, 5), "reset gives the same"
    assert claims.replaced(sources, run, 5).startswith("Mary moves again: after segment 6 the answer is office (0.90)")
    assert (
        "; about John and Daniel, of whom it tells nothing new, it stays. With memory reset office"
        in claims.replaced(sources, run, 5)
    )
    assert "hangs on" not in claims.read(sources, run, 7)
    assert "3 of 3 are right" in claims.kept(sources, run, 5) and "2 of 3 are" in claims.without(sources, run, 7)
    assert "16 of 18 answers about somebody told of are right; with memory reset" in claims.far(sources, run, 7)
    assert "4 × 6 = 24 numbers" in claims.size(sources, run, 3) and "the 36 tokens before it" in claims.size(
        sources, run, 3
    )


def test_questions_are_answered_by_the_run_that_is_there(make_trace):
    run = Library(make_trace("toy", **PEOPLE).path.parent).open("toy")
    written, nothing = claims.ask_written(run, 5), claims.ask_written(run, 4)
    assert written.right == 1 and "Mary, from garden to office. About John and Daniel it stays" in written.told
    assert nothing.right == 0 and nothing.told == "About nobody."
    replaced = claims.ask_replaced(run, 5)
    assert replaced.choices[:2] == ("garden", "office") and replaced.right == 1 and "about Mary" in replaced.text
    assert claims.ask_kept(run, 5).right == 2 and "3 of 3 are right" in claims.ask_kept(run, 5).told
    late = claims.ask_kept(run, 7)
    assert late.right == 1 and "Daniel: never mentioned (it is kitchen)" in late.told and "2 of 3 are" in late.told
    assert claims.ask_read(run, 7).right == 2
    assert "96 tokens" not in claims.ask_size(run, 3).text and "36 tokens" in claims.ask_size(run, 3).text
    assert "24 numbers" in claims.ask_size(run, 3).choices[2]  # 4 slots of width 6


def test_charts_follow_their_tables():
    def changed(name):
        table = results.read(name)
        rows = [replace(row, held=row.held / 2) for row in table.rows] if name == "capacity" else table.rows
        return replace(table, rows=tuple(rows))

    (one, [chart]), (other, [half]) = (tour_charts.held(replace(SOURCES, result=of)) for of in (results.read, changed))
    assert one != other
    line, less = (next(line for line in each.lines if line.hue == "write") for each in (chart, half))
    assert [y / 2 for _, y, *_ in line.points] == pytest.approx([y for _, y, *_ in less.points])


@pytest.mark.parametrize("step", [step for step in tour.STEPS if isinstance(step.figure, Charts)], ids=lambda s: s.slug)
def test_a_chart_is_within_its_axes(step):
    claim, charts = step.figure.draw(SOURCES)
    for chart in charts:
        for axis, of in ((chart.x, 0), (chart.y, 1)):
            values = [point[of] for line in chart.lines for point in line.points]
            low, high = axis.ticks[0][0], axis.ticks[-1][0]
            assert low - 1e-9 <= min(values) and max(values) <= high * (1 + 1e-9), (chart.title, axis.label)
            assert not axis.log or low > 0
        assert all(len(line.points) == len(line.told) for line in chart.lines)
    assert claim and not claim.endswith(".")


def test_what_is_missing_leaves_a_sentence(tmp_path):
    def nothing(name):
        raise InputError(f"There is no {name}.")

    told = [laid_out("", step, Sources(Library(tmp_path).open, nothing)) for step in tour.STEPS]
    missing = [data for data in told if data["kind"] == "missing"]
    assert {data["slug"] for data in missing} >= {"pieces", "written", "full", "others"}
    assert "not among the recorded ones" in missing[0]["claim"] and missing[0]["equations"]


@pytest.mark.parametrize(
    ("asked", "first"), [("kept", "kept"), ("3", "replaced"), ("99", "pieces"), ("<b>", "pieces"), ("", "pieces")]
)
def test_the_address_names_a_step(asked, first):
    assert tour.named(asked) == first


def test_the_page_sends_the_essay():
    def script():
        from rmt_viz.pages import tour

        tour.page()

    at = AppTest.from_function(script, default_timeout=60)
    at.query_params["step"] = "without"
    at.run()
    assert not at.exception, at.exception
    data = json.loads(at.get("bidi_component")[0].proto.json)
    assert data["first"] == "without" and tuple(step["slug"] for step in data["steps"]) == tour.SLUGS
    watch = next(step["watch"] for step in data["steps"] if step["slug"] == "without")
    assert (watch["trace"], watch["control"]) == ("qa1", "reset") and watch["segment"] > 0
    assert [path for path, *_ in data["next"]] == list(tour.NEXT)


def test_equations_name_what_they_are_made_of():
    assert {part["text"] for part in symbols(tour.RESET)} == {"m", " := "}
