"""Numbers of a run against numbers made by hand."""

import numpy as np
import pytest

from rmt.measure import change, edges, knows, measure, pool, segment_loss, similarity, slot_mean, token_loss
from rmt.measure.run import focus, length, question_segment, shares, shift


def test_change_is_the_distance_to_the_segment_before():
    memory = np.zeros((3, 2, 2))
    memory[1, 0] = [3, 4]
    memory[2] = memory[1] + [0, 2]
    np.testing.assert_allclose(change(memory), [[5, 0], [2, 2]])


def test_change_of_a_long_run_is_that_of_its_parts():
    memory = np.random.default_rng(0).normal(size=(700, 3, 4))
    np.testing.assert_allclose(change(memory), np.linalg.norm(np.diff(memory, axis=0), axis=-1), rtol=1e-6)


def test_the_change_of_a_segment_is_the_mean_of_its_slots():
    np.testing.assert_allclose(slot_mean(np.array([[1.0, 3.0], [0.0, 0.0]])), [2, 0])
    assert slot_mean(np.zeros((2, 0))).tolist() == [0, 0]


def test_length_is_the_mean_of_the_slots():
    memory = np.zeros((300, 2, 2))
    memory[:, 0], memory[299, 1] = [3, 4], [0, 2]
    np.testing.assert_allclose(length(memory)[[0, 298, 299]], [2.5, 2.5, 3.5])
    assert not length(np.zeros((4, 0, 6))).any()


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


def test_knows_follows_the_right_answer_and_else_the_final_one(make_trace):
    told, untold = make_trace("told", label=1), make_trace("untold", label=None)
    np.testing.assert_allclose(knows(told)[[0, 4]], [0.05, 0.9], atol=1e-6)
    assert (measure(told).answer, measure(untold).answer) == ("knows", "own answer")
    wrong = make_trace("wrong", label=1)
    wrong.meta["label"] = 2
    np.testing.assert_allclose(knows(wrong), wrong.arrays["asked"][:, 2], atol=1e-6)
    np.testing.assert_allclose(knows(untold), untold.arrays["asked"][:, np.argmax(untold.arrays["probabilities"])])


def test_shift_is_how_far_all_answers_move_and_focus_how_far_one_token_stands_out(make_trace):
    trace = make_trace(segments=3, fact=1)
    trace.arrays["asked"] = np.array([[0.2, 0.3, 0.5], [0.2, 0.3, 0.5], [0.9, 0.1, 0.0], [0.4, 0.1, 0.5]])
    np.testing.assert_allclose(shift(trace), [0, 0.7, 0.5])
    trace.arrays["token_write"] = np.array([0.1, 0.2, *[0.1] * 10, *[0.1] * 11, 0.8, *[0.4] * 12])
    np.testing.assert_allclose(focus(trace), [0.5, 2, 1])
    assert question_segment(trace) == 2
    trace.meta["spans"] = [{"kind": "question", "start": at, "end": at + 4} for at in (2, 14)]
    assert question_segment(trace) == 1, "the last one that is asked"
    trace.arrays["asked"][1] = np.nan
    assert shift(trace) is None and focus(make_trace("bare", detail="memory")) is None


def test_measures_of_a_bare_trace_say_nothing_of_attention(make_trace):
    found = measure(make_trace(detail="memory"))
    assert found.shares is None and np.isnan(found.share("write")).all() and found.change.shape == (8, 4)
