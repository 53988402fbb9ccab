"""The geometry of memory: paths in a plane, distances of moments, cosines of slots, signatures. Numpy only.

Letters as in `rmt.trace`: S segments, M slots, D width. A state is all slots at one moment, (M, D); there are S + 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rmt.measure.run import edges

ROOM = 1 << 24  # numbers that are processed at once
BINS = 256
STANDS_OUT = 3.0  # a cell stands out where it moves so many times as much in a range as around it
MOVES_TOO = 0.5  # a cell moves in another segment, too, if by at least this share of its movement in the range
LEAST_MARGIN = 2  # segments at least on either side of a range that are "around" it
MOST_CELLS = 256


@dataclass(frozen=True)
class Plane:
    """The plane of the first two principal components of the slots of a run.

    mean (D,), axes (2, D) orthonormal, variance (2,) as shares of the total from 0 to 1, fitted to `rows` vectors.
    """

    mean: np.ndarray
    axes: np.ndarray
    variance: np.ndarray
    rows: int

    def project(self, slots: np.ndarray) -> np.ndarray:
        """Project slots (..., D) onto the plane: (..., 2)."""
        return (np.asarray(slots, np.float64) - self.mean) @ self.axes.T


@dataclass(frozen=True)
class Strips:
    """Cosines and norms of each slot in full space: all (S + 1, M).

    previous: cosine to itself one segment before, NaN at the start. initial: cosine to itself at the start. norm.
    """

    previous: np.ndarray
    initial: np.ndarray
    norm: np.ndarray


@dataclass(frozen=True)
class Signature:
    """The signature of a range of segments: the numbers of memory that change in it and not around it.

    inside, around (M,): mean change of a slot a segment, in the range and in as many segments on either side of it.
    total: numbers that stand out; cells (n, 2): slot and dimension of the strongest, in order; moved (n, 2): their
    movement inside and around. match (S,): share of the cells that move in a segment, too, NaN without cells.
    """

    inside: np.ndarray
    around: np.ndarray
    total: int
    cells: np.ndarray
    moved: np.ndarray
    match: np.ndarray


def plane(*memories: np.ndarray) -> Plane:
    """Fit the plane of a run, for all slots, to states (S + 1, M, D); or one plane to several runs of the same width.

    Of a run of more than `ROOM` numbers, evenly spread states are used.
    """
    rows, d = np.concatenate([_rows(memory) for memory in memories]), memories[0].shape[-1]
    mean = rows.mean(0) if len(rows) else np.zeros(d)
    axes, variance = _principal(rows - mean)
    return Plane(mean, axes, variance, len(rows))


def _rows(memory: np.ndarray) -> np.ndarray:
    """The finite slots of a run as rows (n, D), of all moments or of evenly spread ones."""
    n, m, d = memory.shape
    take = edges(n, max(2, ROOM // max(m * d, 1)))[:-1]
    rows = np.asarray(memory[take], np.float64).reshape(-1, d)
    return rows[np.isfinite(rows).all(1)]


def _principal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The principal axes (2, D) and shares of variance (2,) of centred rows (n, D), by the smaller Gram matrix."""
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
    signs = np.sign(vectors[np.abs(vectors).argmax(0), range(k)])  # the largest part is positive: deterministic
    axes[:k] = (vectors * np.where(signs == 0, 1, signs)).T
    variance[:k] = np.maximum(values, 0) / (rows**2).sum()
    return axes, variance


def paths(memory: np.ndarray, onto: Plane) -> np.ndarray:
    """Project each slot at each moment onto a plane: (S + 1, M, D) -> (S + 1, M, 2)."""
    return np.concatenate([onto.project(block) for block in _blocks(memory)])


def strips(memory: np.ndarray) -> Strips:
    """Compute the cosines and norms of every slot at every moment, from states (S + 1, M, D)."""
    first, before, parts = _unit(memory[:1]), None, []
    for block in _blocks(memory):
        unit = _unit(block)
        last = unit[:1] * np.nan if before is None else before
        previous = (unit * np.concatenate([last, unit[:-1]])).sum(-1)
        parts.append((previous, (unit * first).sum(-1), np.linalg.norm(np.asarray(block, np.float64), axis=-1)))
        before = unit[-1:]
    return Strips(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def likeness(slots: np.ndarray) -> np.ndarray:
    """The cosines of all pairs of slots of a state: (M, D) -> (M, M)."""
    unit = _unit(slots)
    return unit @ unit.T


def moments(n: int, n_bins: int = BINS) -> np.ndarray:
    """The edges of bins of n moments; the first moment, the initial memory, has a bin of its own."""
    return np.concatenate([[0], 1 + edges(n - 1, max(n_bins - 1, 1))])


def distances(memory: np.ndarray, n_bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """The distances of all pairs of moments, pooled: (S + 1, M, D) -> edges of bins (B + 1,) and distances (B, B).

    Distances are Euclidean, of whole states; between bins the root of the mean square over all pairs, from
    E|x - y|² = E|x|² + E|y|² - 2 E x · E y, so that nothing of size S² is made.
    """
    n = len(memory)
    size = int(np.prod(memory.shape[1:], dtype=np.int64))
    bin_edges = moments(n, min(n_bins, max(16, ROOM // max(size, 1))))
    middle = np.asarray(memory[bin_edges[:-1]], np.float64).reshape(len(bin_edges) - 1, size).mean(0)
    mean, square = np.empty((len(bin_edges) - 1, size)), np.empty(len(bin_edges) - 1)
    for i, (a, b) in enumerate(pairwise(bin_edges)):
        states = np.asarray(memory[a:b], np.float64).reshape(b - a, size) - middle
        mean[i], square[i] = states.mean(0), (states**2).sum(1).mean()
    squared = square[:, None] + square - 2 * mean @ mean.T
    single = np.flatnonzero(np.diff(bin_edges) == 1)
    squared[single, single] = 0.0
    return bin_edges, np.sqrt(np.maximum(squared, 0.0))


def signature(memory: np.ndarray, first: int, last: int) -> Signature:
    """Compute the signature of segments first to last (from 0, inclusive).

    A cell is one number of the state: a dimension of a slot. It stands out where its root mean square step in the range
    is `STANDS_OUT` times that around it, and at least that of the whole run. The first segment, which leaves the
    initial memory and moves everything, is never "around".
    """
    n = len(memory) - 1
    margin = max(LEAST_MARGIN, last - first + 1)
    inside = _steps(memory, range(first, last + 1))
    beside = [s for s in (*range(first - margin, first), *range(last + 1, last + 1 + margin)) if 0 < s < n]
    around, usual = _steps(memory, beside), _steps(memory, range(1, n))
    stands = (inside.cells >= STANDS_OUT * around.cells) & (inside.cells >= usual.mean) & (inside.cells > 0)
    cells = np.argwhere(stands) if beside else np.empty((0, 2), int)
    total = len(cells)
    cells = cells[np.argsort(-inside.cells[tuple(cells.T)], kind="stable")][:MOST_CELLS]
    moved = np.stack([inside.cells[tuple(cells.T)], around.cells[tuple(cells.T)]], axis=-1)
    return Signature(inside.slots, around.slots, total, cells, moved, _match(memory, cells, moved[:, 0]))


@dataclass(frozen=True)
class _Steps:
    """Mean steps: slots (M,) mean length of a slot's step; cells (M, D) and mean: root mean square, each and of all."""

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


def _match(memory: np.ndarray, cells: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """The share (S,) of the cells (n, 2) that move in a segment by `MOVES_TOO` of `moved` (n,) or more."""
    if not len(cells):
        return np.full(len(memory) - 1, np.nan)
    values = np.asarray(memory[:, cells[:, 0], cells[:, 1]], np.float64)  # (S + 1, n)
    return (np.abs(np.diff(values, axis=0)) >= MOVES_TOO * moved).mean(1)


def _unit(slots: np.ndarray) -> np.ndarray:
    slots = np.asarray(slots, np.float64)
    return slots / np.maximum(np.linalg.norm(slots, axis=-1, keepdims=True), 1e-12)


def _blocks(memory: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a few states at a time, so that a long run takes no more memory than a short one."""
    step = max(1, ROOM // max(int(np.prod(memory.shape[1:], dtype=np.int64)), 1))
    yield from (memory[i : i + step] for i in range(0, len(memory), step))
