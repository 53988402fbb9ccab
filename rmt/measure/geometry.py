"""Where memory is and how it moves: paths in a plane, distances, likeness of slots, signatures. Numpy only.

Letters as in `rmt.trace`: S segments, M slots, D width. A state is all slots at one moment, (M, D); there are S + 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rmt.measure.run import edges

ROOM = 1 << 24  # numbers looked at together
BINS = 256
STANDS_OUT = 3.0  # a number of the memory that moves in a range so many times as much as around it
MOVES_TOO = 0.5  # and in another segment by at least this share of what it moved there
LEAST_MARGIN = 2  # segments on either side of a range that are "around" it
MOST_CELLS = 256


@dataclass(frozen=True)
class Plane:
    """The two directions in which the slots of a run differ most (principal components).

    mean (D,), axes (2, D) orthonormal, variance (2,) shares of all variance from 0 to 1, fitted to `rows` vectors.
    """

    mean: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    rows: int

    def project(self, slots: np.ndarray) -> np.ndarray:
        """(..., D) -> (..., 2)."""
        return (np.asarray(slots, np.float64) - self.mean) @ self.axes.T


@dataclass(frozen=True)
class Strips:
    """How each slot stands in full space, whatever a plane shows: all (S + 1, M).

    previous: cosine to itself one segment before, nan at the start. initial: cosine to itself at the start. norm.
    """

    previous: np.ndarray
    initial: np.ndarray
    norm: np.ndarray


@dataclass(frozen=True)
class Signature:
    """What changed in a range of segments and not around it.

    inside, around (M,): mean change of a slot a segment, in the range and in as many segments on either side of it.
    total: numbers that stand out; cells (n, 2): slot and dimension of the strongest of them, in order; moved (n, 2):
    how much they move, inside and around. match (S,): share of the cells that move in a segment too, nan without.
    """

    inside: np.ndarray
    around: np.ndarray
    total: int
    cells: np.ndarray
    moved: np.ndarray
    match: np.ndarray


def plane(*memories: np.ndarray) -> Plane:
    """The plane of a run, one for all slots, from states (S + 1, M, D); or one for several runs of the same width.

    A run of more than `ROOM` numbers is looked at in states spread evenly over it.
    """
    rows, d = np.concatenate([_rows(memory) for memory in memories]), memories[0].shape[-1]
    mean = rows.mean(0) if len(rows) else np.zeros(d)
    axes, variance = _principal(rows - mean)
    return Plane(mean, axes, variance, len(rows))


def _rows(memory: np.ndarray) -> np.ndarray:
    """(n, D): slots of a run, all or some spread evenly, without those that are not numbers."""
    n, m, d = memory.shape
    take = edges(n, max(2, ROOM // max(m * d, 1)))[:-1]
    rows = np.asarray(memory[take], np.float64).reshape(-1, d)
    return rows[np.isfinite(rows).all(1)]


def _principal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes (2, D) and shares of variance (2,) of centred rows (n, D), by the smaller of the two products."""
    n, d = rows.shape
    axes, variance = np.zeros((2, d)), np.zeros(2)
    if not rows.size or not rows.any():
        return axes, variance
    values, vectors = np.linalg.eigh(rows.T @ rows if d <= n else rows @ rows.T)
    k = min(2, len(values))
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    if d > n:
        vectors = rows.T @ vectors / np.sqrt(np.maximum(values, 1e-300))
    vectors = np.where(values > 1e-12 * values[0], vectors, 0.0)
    signs = np.sign(vectors[np.abs(vectors).argmax(0), range(k)])  # the largest part points up: the same every time
    axes[:k] = (vectors * np.where(signs == 0, 1, signs)).T
    variance[:k] = np.maximum(values, 0) / (rows**2).sum()
    return axes, variance


def paths(memory: np.ndarray, onto: Plane) -> np.ndarray:
    """Where each slot is at each moment: (S + 1, M, D) -> (S + 1, M, 2)."""
    return np.concatenate([onto.project(block) for block in _blocks(memory)])


def strips(memory: np.ndarray) -> Strips:
    """Cosines and norms of every slot at every moment."""
    first, before, parts = _unit(memory[:1]), None, []
    for block in _blocks(memory):
        unit = _unit(block)
        last = unit[:1] * np.nan if before is None else before
        previous = (unit * np.concatenate([last, unit[:-1]])).sum(-1)
        parts.append((previous, (unit * first).sum(-1), np.linalg.norm(np.asarray(block, np.float64), axis=-1)))
        before = unit[-1:]
    return Strips(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def likeness(slots: np.ndarray) -> np.ndarray:
    """Cosine of every two slots of a state: (M, D) -> (M, M)."""
    unit = _unit(slots)
    return unit @ unit.T


def moments(n: int, n_bins: int = BINS) -> np.ndarray:
    """Where bins begin that share n moments; the first of them, the initial memory, has one of its own."""
    return np.concatenate([[0], 1 + edges(n - 1, max(n_bins - 1, 1))])


def distances(memory: np.ndarray, n_bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """How far any two moments are apart, pooled: (S + 1, M, D) -> bins' edges (B + 1,) and distances (B, B).

    A distance is the Euclidean one of whole states; between bins the root of the mean square over all their pairs,
    E|x - y|² = E|x|² + E|y|² - 2 E x · E y, so nothing of size S² is made.
    """
    n = len(memory)
    size = int(np.prod(memory.shape[1:], dtype=np.int64))
    at = moments(n, min(n_bins, max(16, ROOM // max(size, 1))))
    middle = np.asarray(memory[at[:-1]], np.float64).reshape(len(at) - 1, size).mean(0)
    mean, square = np.empty((len(at) - 1, size)), np.empty(len(at) - 1)
    for i, (a, b) in enumerate(pairwise(at)):
        states = np.asarray(memory[a:b], np.float64).reshape(b - a, size) - middle
        mean[i], square[i] = states.mean(0), (states**2).sum(1).mean()
    found = square[:, None] + square - 2 * mean @ mean.T
    single = np.flatnonzero(np.diff(at) == 1)
    found[single, single] = 0.0
    return at, np.sqrt(np.maximum(found, 0.0))


def signature(memory: np.ndarray, first: int, last: int) -> Signature:
    """What changed in segments first to last (from 0, both in it), and where else the same numbers move.

    A cell is one number of the state: a slot's dimension. It stands out where its root mean square step in the range
    is `STANDS_OUT` times that around, and no less than that of the whole run. The first segment, which leaves the
    initial memory and moves everything, is not "around" anything.
    """
    n = len(memory) - 1
    margin = max(LEAST_MARGIN, last - first + 1)
    inside = _steps(memory, range(first, last + 1))
    beside = [s for s in (*range(first - margin, first), *range(last + 1, last + 1 + margin)) if 0 < s < n]
    around, usual = _steps(memory, beside), _steps(memory, range(1, n))
    stands = (inside.cells >= STANDS_OUT * around.cells) & (inside.cells >= usual.mean) & (inside.cells > 0)
    at = np.argwhere(stands) if beside else np.empty((0, 2), int)
    total = len(at)
    at = at[np.argsort(-inside.cells[tuple(at.T)], kind="stable")][:MOST_CELLS]
    moved = np.stack([inside.cells[tuple(at.T)], around.cells[tuple(at.T)]], axis=-1)
    return Signature(inside.slots, around.slots, total, at, moved, _match(memory, at, moved[:, 0]))


@dataclass(frozen=True)
class _Steps:
    """slots (M,): mean length of a slot's step. cells (M, D): root mean square step of each number; mean: of all."""

    slots: np.ndarray
    cells: np.ndarray

    @property
    def mean(self) -> float:
        return float(np.sqrt((self.cells**2).mean())) if self.cells.size else 0.0


def _steps(memory: np.ndarray, segments) -> _Steps:
    lengths, squares = np.zeros(memory.shape[1]), np.zeros(memory.shape[1:])
    for s in segments:
        step = np.asarray(memory[s + 1], np.float64) - memory[s]
        lengths += np.linalg.norm(step, axis=-1)
        squares += step**2
    n = max(len(segments), 1)
    return _Steps(lengths / n, np.sqrt(squares / n))


def _match(memory: np.ndarray, at: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """(S,): share of the cells at (n, 2) that move by `MOVES_TOO` of what they moved (n,), or more."""
    if not len(at):
        return np.full(len(memory) - 1, np.nan)
    values = np.asarray(memory[:, at[:, 0], at[:, 1]], np.float64)  # (S + 1, n)
    return (np.abs(np.diff(values, axis=0)) >= MOVES_TOO * moved).mean(1)


def _unit(slots: np.ndarray) -> np.ndarray:
    slots = np.asarray(slots, np.float64)
    return slots / np.maximum(np.linalg.norm(slots, axis=-1, keepdims=True), 1e-12)


def _blocks(memory: np.ndarray) -> Iterator[np.ndarray]:
    """A few states at a time, so that a long run needs no more room than a short one."""
    step = max(1, ROOM // max(int(np.prod(memory.shape[1:], dtype=np.int64)), 1))
    yield from (memory[i : i + step] for i in range(0, len(memory), step))
