"""Numbers of a run against numbers made by hand."""

import numpy as np
import pytest

from rmt.measure import change, edges, knows, measure, pool, segment_loss, similarity, token_loss
from rmt.measure.beats import find_beats
from rmt.measure.run import shares


def kinds(found) -> dict:
    return {beat.kind: beat.segment for beat in found}


def test_change_is_the_distance_to_the_segment_before():
    memory = np.zeros((3, 2, 2))
    memory[1, 0] = [3, 4]
    memory[2] = memory[1] + [0, 2]
    np.testing.assert_allclose(change(memory), [[5, 0], [2, 2]])


def test_change_of_a_long_run_is_that_of_its_parts():
    memory = np.random.default_rng(0).normal(size=(700, 3, 4))
    np.testing.assert_allclose(change(memory), np.linalg.norm(np.diff(memory, axis=0), axis=-1), rtol=1e-6)


def test_similarity_is_one_for_copies_and_falls_with_angle():
    copies = np.ones((2, 3, 4))
    crossed = np.eye(2)[None]
    np.testing.assert_allclose(similarity(copies), 1, atol=1e-6)
    np.testing.assert_allclose(similarity(crossed), 0, atol=1e-6)
    np.testing.assert_allclose(similarity(np.array([[[1.0, 0], [-1, 0]]])), -1, atol=1e-6)


def test_shares_are_what_each_row_gives():
    mass = np.array([[[[6.0, 1.0, 0.5, 6.5]]]])  # 12 tokens, 2 rows of write memory, 14 rows in all
    found = shares(mass, 2, np.array([12]))
    assert {name: float(value[0, 0, 0]) for name, value in found.items()} == pytest.approx(
        {"read": 0.5, "write": 0.5, "carry": 0.25, "local": 6.5 / 14}
    )


def test_no_memory_has_no_shares_and_does_not_move():
    found = shares(np.array([[[[0.0, 0.0, 0.0, 12.0]]]]), 0, np.array([12]))
    assert float(found["write"][0, 0, 0]) == 0 and float(found["local"][0, 0, 0]) == 1
    assert change(np.zeros((4, 0, 6))).shape == (3, 0)


@pytest.mark.parametrize(("n", "n_bins"), [(8, 256), (4096, 256), (1000, 7), (1, 3)])
def test_edges_share_all_items_and_none_twice(n, n_bins):
    at = edges(n, n_bins)
    assert at[0] == 0 and at[-1] == n and len(at) == min(n, n_bins) + 1
    assert np.diff(at).min() >= 1 and np.ptp(np.diff(at)) <= 1


def test_pool_keeps_peaks_and_leaves_out_nan():
    top, mean = pool(np.array([1.0, 5, np.nan, 3, np.nan, np.nan]), np.array([0, 2, 4, 6]))
    np.testing.assert_allclose(top, [5, 3, np.nan])
    np.testing.assert_allclose(mean, [3, 3, np.nan])


def test_loss_of_a_segment_is_the_mean_of_its_scored_tokens(make_trace):
    trace = make_trace(segments=3, length=2, fact=None, question=False)
    trace.arrays["loss"] = np.array([3.0, 1.0, 4.0, np.nan, np.nan, np.nan])  # where it was foretold
    np.testing.assert_allclose(token_loss(trace, 0, 6), [np.nan, 3, 1, 4, np.nan, np.nan])
    np.testing.assert_allclose(token_loss(trace, 2, 4), [1, 4])
    np.testing.assert_allclose(segment_loss(trace, 3), [3, 2.5, np.nan])
    assert segment_loss(trace, 0).shape == (0,) and token_loss(trace, 0, 1).shape == (1,)


@pytest.mark.parametrize("fact", [0, 3, 6])
def test_beats_are_found_where_the_fact_stands(make_trace, fact):
    trace = make_trace(fact=fact)
    truth = next(trace.segment_of(span["start"]) for span in trace.spans if span["kind"] == "fact")
    found = kinds(measure(trace).beats)
    assert found["write"] == truth == fact
    assert found["read"] == 7
    assert ("keep" in found) == (fact < 6) and fact < found.get("keep", 7)


def test_beats_do_not_look_at_the_spans_of_facts(make_trace):
    trace = make_trace(fact=3)
    trace.meta["spans"] = [span for span in trace.spans if span["kind"] == "question"]
    assert kinds(measure(trace).beats)["write"] == 3


def test_two_facts_are_a_write_and_an_append(make_trace):
    found = kinds(measure(make_trace(fact=2, second=5)).beats)
    assert (found["write"], found["append"], found["read"]) == (2, 5, 7)
    assert 2 < found["keep"] < 5


def test_beats_are_found_from_memory_alone_where_nothing_is_asked(make_trace):
    assert kinds(measure(make_trace(fact=4, question=False, label=None)).beats)["write"] == 4


def test_a_run_that_writes_nothing_has_no_beats(make_trace):
    assert measure(make_trace(fact=None)).beats == ()


def test_a_run_that_forgets_has_a_write_and_no_more():
    moved = np.array([5.0, 0.2, 0.2, 6.0, 6.0, 0.2, 0.2, 0.2])
    known = np.array([0.0, 0.0, 0.0, 0.0, 0.99, 0.0, 0.0, 0.0, 0.0])
    assert kinds(find_beats(moved, known, 7)) == {"write": 3}


def test_a_second_fact_shows_where_answers_shift_and_memory_singles_out_a_token():
    """A memory that moves all the time, as a rotating one does: change tells nothing, answers and attention do."""
    moved, known = np.full(8, 9.0), np.array([0.1, 0.3, 0.3, 0.3, 0.3, 0.98, 0.98, 0.98, 0.98])
    shift, focus = np.array([0.1, 0.6, 0, 0, 0.9, 0, 0, 0]), np.array([1, 2.0, 1, 1, 2.2, 1, 2.0, 1])
    found = find_beats(moved, known, 7, shift=shift, focus=focus)
    assert kinds(found) == {"write": 1, "keep": 2, "append": 4, "read": 7}
    assert "append" not in kinds(find_beats(moved, known, 7, shift=shift, focus=np.ones(8)))


def test_leaving_the_initial_memory_is_not_a_write():
    moved, known = np.array([9.0, 4.0, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]), np.full(9, 0.99)
    assert find_beats(moved, known, 7, shift=np.zeros(8), focus=np.ones(8)) == ()


def test_a_run_of_no_segments_has_no_beats():
    assert find_beats(np.empty(0), np.array([0.5]), None) == ()


def test_knows_follows_the_right_answer_and_else_the_final_one(make_trace):
    told, untold = make_trace("told", label=1), make_trace("untold", label=None)
    np.testing.assert_allclose(knows(told)[[0, 4]], [0.05, 0.9], atol=1e-6)
    np.testing.assert_allclose(knows(untold), untold.arrays["asked"][:, np.argmax(untold.arrays["probabilities"])])


def test_measures_of_a_bare_trace_say_nothing_of_attention(make_trace):
    found = measure(make_trace(detail="memory"))
    assert found.shares is None and np.isnan(found.share("write")).all() and found.change.shape == (8, 4)


def test_a_memory_that_never_moves_has_no_beats():
    """A model that carries nothing, or reads the same memory tokens in every segment."""
    assert find_beats(np.zeros(6), np.full(7, np.nan), None) == ()
