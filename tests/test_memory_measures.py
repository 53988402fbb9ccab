"""Where memory is and how it moves: against definitions written out, in float64."""

import numpy as np
import pytest

from rmt.measure import geometry


def walk(n: int, m: int = 3, d: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, m, d)).cumsum(0)


@pytest.mark.parametrize(("n", "m", "d"), [(9, 3, 5), (3, 1, 40), (40, 4, 3)])
def test_a_plane_holds_the_most_variance_two_directions_can(n, m, d):
    memory = walk(n, m, d)
    found = geometry.plane(memory)
    rows = memory.reshape(-1, d) - memory.reshape(-1, d).mean(0)
    values = np.linalg.svd(rows, compute_uv=False) ** 2
    np.testing.assert_allclose(found.variance, values[:2] / values.sum(), atol=1e-10)
    np.testing.assert_allclose(found.axes @ found.axes.T, np.eye(2), atol=1e-10)
    projected = geometry.paths(memory, found)
    assert projected.shape == (n, m, 2)
    np.testing.assert_allclose((projected**2).sum((0, 1)) / (rows**2).sum(), found.variance, atol=1e-10)


def test_a_plane_is_the_same_every_time_and_points_up():
    memory = walk(12)
    first, again = geometry.plane(memory), geometry.plane(memory.copy())
    np.testing.assert_array_equal(first.axes, again.axes)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in first.axes)


@pytest.mark.parametrize("memory", [np.zeros((4, 2, 3)), np.ones((1, 1, 1)), np.zeros((5, 0, 3))])
def test_a_memory_that_stands_still_has_a_plane_without_variance(memory):
    found = geometry.plane(memory)
    assert found.variance.tolist() == [0, 0] and not geometry.paths(memory, found).any()


def test_a_line_has_one_direction():
    memory = np.linspace(0, 1, 7)[:, None, None] * np.array([[[3.0, 4.0, 0.0]]])
    found = geometry.plane(memory)
    np.testing.assert_allclose(found.variance, [1, 0], atol=1e-12)
    np.testing.assert_allclose(np.ptp(geometry.paths(memory, found)[:, 0], axis=0), [5, 0], atol=1e-12)


def test_a_large_run_is_looked_at_in_parts(monkeypatch):
    memory = walk(50)
    whole, plane = geometry.strips(memory), geometry.plane(memory)
    monkeypatch.setattr(geometry, "ROOM", 60)
    for name in ("previous", "initial", "norm"):
        np.testing.assert_array_equal(getattr(geometry.strips(memory), name), getattr(whole, name))
    np.testing.assert_array_equal(geometry.paths(memory, plane), plane.project(memory))
    assert geometry.plane(memory).rows == 4 * 3, "four states of three slots"


def test_strips_are_cosines_and_norms():
    memory = walk(6)
    found = geometry.strips(memory)
    cosine = lambda a, b: a @ b / np.linalg.norm(a) / np.linalg.norm(b)  # noqa: E731
    assert np.isnan(found.previous[0]).all()
    np.testing.assert_allclose(found.previous[4, 1], cosine(memory[4, 1], memory[3, 1]))
    np.testing.assert_allclose(found.initial[4, 2], cosine(memory[4, 2], memory[0, 2]))
    np.testing.assert_allclose(found.norm, np.linalg.norm(memory, axis=-1))


def test_distances_are_those_of_whole_states():
    memory = walk(9)
    at, found = geometry.distances(memory)
    states = memory.reshape(9, -1)
    np.testing.assert_allclose(found, np.linalg.norm(states[:, None] - states, axis=-1), atol=1e-10)
    assert at.tolist() == list(range(10)) and not np.diag(found).any()


def test_pooled_distances_are_root_mean_squares_over_all_pairs():
    memory = walk(21)
    at, found = geometry.distances(memory, 4)
    states = memory.reshape(21, -1)
    pairs = ((states[:, None] - states) ** 2).sum(-1)
    for i in range(4):
        for j in range(4):
            block = pairs[at[i] : at[i + 1], at[j] : at[j + 1]]
            np.testing.assert_allclose(found[i, j], np.sqrt(block.mean()), atol=1e-10)


def test_small_steps_far_from_the_origin_are_seen():
    memory = 1e4 + 1e-3 * walk(300)
    _, found = geometry.distances(memory, 300)
    np.testing.assert_allclose(found[5, 6], np.linalg.norm(memory[5] - memory[6]), rtol=1e-6)


def test_copies_are_alike():
    slots = np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
    np.testing.assert_allclose(geometry.likeness(slots)[:3, :3], [[1, 1, -1], [1, 1, -1], [-1, -1, 1]])
    assert not geometry.likeness(slots)[3].any(), "a slot of zeros is like nothing"


def moving(n: int = 30, seed: int = 0) -> np.ndarray:
    """Steps of noise; in segments 10 and 20 slot 1 moves along dimensions 2 and 3, in 15 slot 0 along dimension 4."""
    steps = 0.01 * np.random.default_rng(seed).normal(size=(n + 1, 2, 6))
    steps[[11, 21], 1, 2] += 3.0
    steps[[11, 21], 1, 3] -= 2.0
    steps[16, 0, 4] += 5.0
    return steps.cumsum(0)


def test_a_signature_is_what_changed_there_and_not_around():
    found = geometry.signature(moving(), 10, 10)
    assert found.cells.tolist() == [[1, 2], [1, 3]], "the strongest first"
    np.testing.assert_allclose(found.moved[:, 0], [3, 2], atol=0.05)
    assert found.inside[1] > 3 and found.inside[0] < 0.1 and found.around.max() < 0.1
    assert np.flatnonzero(found.match >= 0.5).tolist() == [10, 20], "and where it changed in the same way"


def test_a_range_has_as_many_segments_around_it():
    memory = moving()
    assert [4] in geometry.signature(memory, 14, 16).cells[:, 1:].tolist()
    cells = geometry.signature(memory, 15, 20).cells.tolist()
    assert [0, 4] in cells and [1, 2] not in cells, "10 is around 15 to 20, and moves slot 1 as much"


def test_what_moves_everywhere_stands_out_nowhere():
    memory = walk(40)
    found = geometry.signature(memory, 0, 38)
    assert not len(found.cells) and np.isnan(found.match).all(), "nothing is around the whole run"
    assert len(geometry.signature(memory, 12, 20).cells) < 3


@pytest.mark.parametrize("n", [1, 2, 9, 256, 4097])
def test_bins_of_moments_begin_with_the_initial_memory_alone(n):
    at = geometry.moments(n)
    assert at[0] == 0 and at[-1] == n and (np.diff(at) > 0).all() and len(at) - 1 == min(n, geometry.BINS)
    assert at[1] == 1
