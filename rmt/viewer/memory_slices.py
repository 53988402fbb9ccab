"""Slices of the geometry of memory: of the whole run, pooled, of one segment, and of a range of segments."""

from functools import lru_cache

import numpy as np

from rmt.measure import edges, pool
from rmt.measure.geometry import BINS, distances, likeness, moments, paths, plane, signature, strips
from rmt.trace import Trace
from rmt.viewer.slices import Run, marks, pack

MOST_NAMED = 24  # cells and segments of a signature that are listed
ALIKE = 0.5  # share of a signature's cells that move in a segment which has the signature, too
KEPT = 32


def moves(run: Run, beside: Run | None = None) -> bytes:
    """Make the slice of the whole run, in constant size; moments are counted from 0, the initial memory.

    beside: another run to share a plane with, where the slots of both have one width.
    """
    return _moves(run, beside if beside and _width(beside) == _width(run) else None)


@lru_cache(KEPT)
def _moves(run: Run, beside: Run | None) -> bytes:
    memory = run.trace.memory
    onto = _plane(*sorted((run, beside), key=lambda r: r.id)) if beside else _plane(run)
    at = moments(len(memory))
    found = strips(memory)
    apart_at, apart = distances(memory)
    pooled = {}
    for name in ("previous", "initial", "norm"):
        series = getattr(found, name)
        pooled |= {name: _pool(series, at), **_ends(name, series, at)}
    meta = {
        "id": run.id,
        "moments": len(memory),
        "variance": onto.variance.tolist(),
        "shared": beside is not None,
        "rows": onto.rows,
        "marks": marks(run),
    }
    return pack(meta, edges=at, path=_pool(paths(memory, onto), at), apart_edges=apart_at, apart=apart, **pooled)


@lru_cache(KEPT)
def _plane(*runs: Run):
    return plane(*(run.trace.memory for run in runs))


def moment(run: Run, index: int, beside: Run | None = None) -> bytes:
    """Make the slice of the state after a segment: its slots in the plane, before and after, and their cosines."""
    stored = run.trace.arrays["memory"]
    memory = stored[index : index + 2]
    shared = beside and _width(beside) == _width(run)
    onto = _plane(*sorted((run, beside), key=lambda r: r.id)) if shared else _plane(run)
    found = strips(memory)
    initial = strips(np.stack([stored[0], memory[1]])).initial[1]
    meta = {"index": index}
    return pack(
        meta,
        path=onto.project(memory),
        likeness=likeness(memory[1]),
        previous=found.previous[1],
        initial=initial,
        norm=found.norm[1],
    )


def changed(run: Run, first: int, last: int) -> bytes:
    """Make the slice of the signature of segments first to last, and of other segments that have it."""
    found = signature(run.trace.memory, first, last)
    at = edges(run.trace.done, BINS)
    others = [s for s in np.argsort(-found.match, kind="stable") if not first <= s <= last]
    alike = [int(s) for s in others if found.match[s] >= ALIKE][:MOST_NAMED]
    meta = {
        "first": first,
        "last": last,
        "total": found.total,
        "numbers": int(np.prod(run.trace.arrays["memory"].shape[1:])),
        "alike": [{"segment": s, "share": float(found.match[s])} for s in alike],
        "next": [{"segment": int(s), "share": float(found.match[s])} for s in others[:1] if len(found.cells)],
    }
    named = slice(0, MOST_NAMED)
    match = pool(found.match, at)[0] if len(found.cells) else np.zeros(len(at) - 1)
    return pack(
        meta,
        inside=found.inside,
        around=found.around,
        cells=found.cells[named],
        moved=found.moved[named],
        edges=at,
        match=match,
    )


def words(trace: Trace, index: int, readout=None, **told) -> bytes:
    """Make the slice of the words nearest to each slot after a segment; readout: of `rmt.model.readout`, if known."""
    if readout is None:
        return pack({"index": index, **told})
    meta = {"index": index, "by": readout.by, "texts": readout.texts, **told}
    return pack(meta, score=readout.score.numpy(), before=readout.before.numpy(), rank=readout.rank.numpy())


def _width(run: Run) -> int:
    return run.trace.arrays["memory"].shape[-1]


def _ends(name: str, series: np.ndarray, at: np.ndarray) -> dict[str, np.ndarray]:
    """The minimum and maximum over the slots and moments of a bin, so that pooling hides no short change."""
    return {
        f"{name}_low": np.fmin.reduceat(series.min(1, initial=np.inf), at[:-1]),
        f"{name}_high": np.fmax.reduceat(series.max(1, initial=-np.inf), at[:-1]),
    }


def _pool(series: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The means in bins along the first axis; NaN is ignored."""
    known = np.isfinite(series)
    total = np.add.reduceat(np.where(known, series, 0.0), at[:-1])
    count = np.add.reduceat(known, at[:-1], dtype=np.int64)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
