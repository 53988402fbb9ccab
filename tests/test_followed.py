"""Several that can be asked for: their answers, their beats, and what the surface is given of them."""

import numpy as np
import pytest
from unpacking import unpack

from rmt.measure import measure
from rmt.measure.beats import Series, Turns, find_turns
from rmt.measure.contrast import contrast
from rmt.viewer import slices
from rmt.viewer.sentence import sentence
from rmt_viz.findings import facts as findings
from rmt_viz.findings import what_if
from rmt_viz.server import address
from rmt_viz.shelf.library import Run

PEOPLE = ("Mary", "John", "Daniel")
CLASSES = ["garden", "office", "kitchen", "never mentioned"]


@pytest.fixture
def run(make_trace):
    return Run("toy", make_trace(people=PEOPLE, classes=CLASSES), "recorded")


def said(parts: list[dict]) -> str:
    return "".join(part["text"] for part in parts)


def test_each_is_held_against_what_is_right_by_then(run):
    mary, john, daniel = run.measures.followed
    assert [mary.name, john.name, daniel.name] == [*PEOPLE]
    assert [CLASSES[c] for c in mary.answer] == ["never mentioned"] * 2 + ["garden"] * 4 + ["office"] * 3
    assert mary.right.tolist() == [1] * 9 and mary.score() == (7, 7), "of the eight segments seven came after the fact"
    assert daniel.right.tolist() == [1] * 7 + [0, 0] and daniel.score() == (3, 5)
    np.testing.assert_allclose(daniel.knows, [0.9] * 7 + [0.1 / 3] * 2, rtol=1e-5)


def test_an_unknown_truth_counts_neither_way(make_trace):
    trace = make_trace(people=PEOPLE, classes=CLASSES)
    truths = np.array(trace.arrays["truths"])
    truths[4:, 1] = -1
    trace.arrays["truths"] = truths
    john = measure(trace).followed[1]
    assert np.isnan(john.right[4:]).all() and np.isnan(john.knows[4:]).all() and john.score() == (1, 1)


def test_beats_are_of_the_one_who_is_followed(run):
    kinds = {one.name: [(beat.kind, beat.segment) for beat in one.beats] for one in run.measures.followed}
    assert kinds["Mary"][:2] == [("write", 1), ("update", 5)]
    assert kinds["John"][0] == ("write", 2) and ("update", 5) not in kinds["John"]
    assert run.measures.who().name == "Mary" and run.measures.beats == run.measures.followed[0].beats
    assert run.measures.who("John") is run.measures.followed[1]


def turns(answers: list[int], *, everybody=None, asked=False, sure=0.9) -> Turns:
    shares = np.full((len(answers), 4), (1 - sure) / 3)
    shares[np.arange(len(answers)), answers] = sure
    return Turns(shares, np.zeros(len(answers) - 1, bool) if everybody is None else np.array(everybody), asked)


def series(n: int, **options) -> Series:
    return Series(np.full(n, 0.5), np.full(n, 10.0), np.full(n + 1, np.nan), **options)


def kinds(found) -> list[tuple[str, int]]:
    return [(beat.kind, beat.segment) for beat in found]


def test_a_write_an_update_what_is_kept_and_what_is_read():
    found = find_turns(series(7, question=6), turns([3, 0, 0, 1, 1, 1, 1, 1], asked=True))
    assert kinds(found) == [("write", 0), ("update", 2), ("keep", 3), ("read", 6)]
    not_asked = find_turns(series(7, question=6), turns([3, 0, 0, 1, 1, 1, 1, 1]))
    assert kinds(not_asked) == [("write", 0), ("update", 2), ("keep", 3)], "the question is about somebody else"


def test_no_more_beats_than_keys_lead_to_and_those_the_last_ones():
    found = find_turns(series(8, question=7), turns([3, 0, 1, 2, 0, 0, 0, 0, 0], asked=True))
    assert kinds(found) == [("write", 0), ("update", 3), ("keep", 4), ("read", 7)]


def test_what_turns_back_to_the_initial_answer_is_no_write():
    assert kinds(find_turns(series(4), turns([3, 3, 0, 3, 3]))) == [("write", 1)], "and nothing is kept"
    assert find_turns(series(3), turns([3, 3, 3, 3])) == ()


def test_an_unsure_turn_is_no_write():
    assert find_turns(series(3), turns([3, 0, 0, 0], sure=0.45)) == ()


def test_a_memory_that_is_put_back_keeps_and_reads_nothing():
    found = find_turns(series(4, question=3, reset=True), turns([3, 0, 0, 0, 0], asked=True))
    assert kinds(found) == [("write", 0)]


def test_to_leave_the_initial_memory_is_no_write_where_all_turn_and_nothing_is_looked_at():
    everybody = [True, False, False]
    plain = series(3, focus=np.array([1.0, 1.0, 1.0]))
    assert find_turns(plain, turns([3, 0, 0, 0], everybody=everybody)) == ()
    assert kinds(find_turns(plain, turns([3, 0, 0, 0])))[0] == ("write", 0), "the others stayed"
    looked = series(3, focus=np.array([2.0, 1.0, 1.0]))
    assert kinds(find_turns(looked, turns([3, 0, 0, 0], everybody=everybody)))[0] == ("write", 0)


def test_the_overview_has_a_row_for_each_with_its_controls(run, make_trace):
    reset = Run("toy.reset", make_trace("reset", people=PEOPLE, classes=CLASSES, control="reset"), "recorded")
    found = unpack(slices.overview(run, controls={"reset": reset}))
    daniel = found["meta"]["people"][2]
    assert daniel["name"] == "Daniel" and daniel["question"] == "Where is Daniel?" and daniel["score"] == [3, 5]
    assert daniel["controls"] == {"reset": [3, 5]} and found["meta"]["who"] == "Mary"
    assert found["who_answer"].shape == (3, 8) and found["who_wrong"][2].tolist() == [0] * 6 + [1, 1]
    np.testing.assert_allclose(found["who_knows"][2], run.measures.followed[2].knows[1:], rtol=1e-6)


def test_a_long_run_has_as_many_bins_for_each(make_trace):
    long = Run("long", make_trace("long", segments=1000, people=PEOPLE, classes=CLASSES), "recorded")
    found = unpack(slices.overview(long))
    assert found["who_answer"].shape == (3, 256)
    assert found["who_wrong"][2, 1] > 0 and found["who_wrong"][0].max() == 0


def test_what_is_asked_for_may_be_a_thing_and_not_a_person(run):
    run.trace.meta["questions"][0] = {"name": "north of the hall", "text": "What is north of the hall?"}
    told = said(sentence(run.trace, measure(run.trace), run.trace.segments[1], "north of the hall"))
    assert "writes what is north of the hall: memory" in told and "Asked now “What is north of the hall?”" in told


def test_a_segment_has_everybodys_answers_and_a_sentence_for_each(run):
    found = unpack(slices.segment(run, 5))
    assert found["each"].shape == found["each_before"].shape == (3, 4)
    assert found["truth"].tolist() == [1, 1, 2] and found["truth_before"].tolist() == [0, 1, 2]
    told = {name: said(parts) for name, parts in found["meta"]["sentences"].items()}
    assert "replaces garden with office for Mary: memory" in told["Mary"]
    assert "Asked now “Where is Mary?”, it answers office with 0.90. All three are right now" in told["Mary"]
    assert "Where is Daniel?" in told["Daniel"] and "replaces" not in told["Daniel"]


def test_a_wrong_answer_is_said_to_be_wrong(run):
    told = said(sentence(run.trace, run.measures, run.trace.segments[7], "Daniel"))
    assert "never mentioned with 0.90, which is wrong (it is kitchen)" in told and "Two of three are right now" in told


def test_a_wrong_turn_is_a_loss(run):
    told = said(sentence(run.trace, run.measures, run.trace.segments[6], "Daniel"))
    assert "loses kitchen for Daniel" in told


def test_the_address_knows_whom_it_is_about(run):
    assert address.read({"who": "John"}, {"who": [*PEOPLE]}, {"who": "Mary"})["who"] == "John"
    assert address.read({"who": "<b>"}, {"who": [*PEOPLE]}, {"who": "Mary"})["who"] == "Mary"


def fact(question: str, p: float, until: int | None = None) -> dict:
    return {"question": question, "answer": "garden", "text": "…", "p": [0.0, p], "end": 5, "until": until}


def test_facts_that_were_replaced_are_not_asked_to_be_there():
    told = findings.ledger([fact("a", 0.1, 9), fact("a", 0.9), fact("b", 0.2)])
    assert told == "1 of the 2 facts that hold at the end are there; of 1 that were replaced, none is answered still"
    assert findings.ledger([fact("a", 0.9), fact("b", 0.2)]) == "1 of 2 facts are there at the end"


def test_a_fact_is_placed_with_whose_it_is(run):
    one, other = findings.placed([fact("Where is John?", 0.9, 30), fact("Where is Ada?", 0.9)], run)
    assert (one["told"], one["replaced"], one["who"]) == (1, 3, 1), "segments of twelve tokens"
    assert other["replaced"] is None and other["who"] is None


def test_a_what_if_says_who_is_affected_and_who_stays(run, make_trace):
    other = make_trace("other", people=PEOPLE, classes=CLASSES)
    found = contrast(run.trace, other)
    assert [one.name for one in found.people] == [*PEOPLE] and all(one.stays for one in found.people)
    shares = np.array(other.arrays["asked_each"])
    shares[3:, 1] = np.roll(shares[3:, 1], 1, -1)  # John is elsewhere from the third segment to the end
    shares[2, 0] = np.roll(shares[2, 0], 1, -1)  # and Mary after the second alone
    other.arrays["asked_each"] = shares
    memory = np.array(other.arrays["memory"])
    memory[2:] += 1
    other.arrays["memory"] = memory
    found = contrast(run.trace, other)
    told = what_if.what_if(run.trace, other, found)
    assert told.startswith(
        "John: office becomes kitchen; Mary: another answer after segment 2, the same at the end; Daniel st"
    )
    assert told.endswith("stays; the memories differ from segment 2 on")
    table = what_if.people_table(run.trace, found)
    assert len(table["about"]) == 27 and table["changed"][table["about"].index("John") + 8] == "kitchen"
