"""A run's slices as archives: what the server would answer, in files that need no server.

An archive is a slice with the names and ends of its parts, then the parts. A name is the path that the surface asks
for: overview, segment/3, memory/3?with=ID; heads/3 and maps/3 are what the browser makes the maps of one head from.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from rmt.measure import edges
from rmt.trace import SegmentRecord
from rmt.viewer import attention_slices, memory_slices, slices
from rmt.viewer.slices import Run

DROPPED = 13  # bits of a float32's fraction (23) that a float16 (10) does not have


def archive(parts: Mapping[str, bytes], **meta) -> bytes:
    """Pack named slices into one archive."""
    ends = np.cumsum([len(part) for part in parts.values()])
    return slices.pack({"names": list(parts), **meta}, ends=ends) + b"".join(parts.values())


def segment_parts(run: Run, index: int, *, reset: Run | None = None, detail: str = "heads") -> dict[str, bytes]:
    """The slices of a segment, and the maps of its heads. detail: "heads", "means" of them, or "none"."""
    meta, arrays = slices.segment_parts(run, index, reset=reset, maps=detail != "none")
    parts = {f"segment/{index}": slices.pack(meta, **short(arrays))}
    record = run.trace.segments[index]
    if detail == "heads" and record.read is not None:
        parts[f"heads/{index}"] = slices.pack({}, **short({"read": record.read, "write": record.write}))
    return parts


def memory_parts(run: Run, beside: Sequence[Run] = ()) -> dict[str, bytes]:
    """The slices of the whole run's memory, alone and in one plane with each other run."""
    others = [("memory", None), *((f"memory?with={other.id}", other) for other in beside)]
    return {name: memory_slices.moves(run, other) for name, other in others}


def moment_parts(run: Run, index: int, beside: Sequence[Run] = ()) -> dict[str, bytes]:
    """The slices of the state after a segment, alone and in one plane with each other run."""
    others = [(f"memory/{index}", None), *((f"memory/{index}?with={other.id}", other) for other in beside)]
    return {name: memory_slices.moment(run, index, other) for name, other in others}


def map_parts(run: Run, index: int, replayed: SegmentRecord | None, why: str) -> dict[str, bytes]:
    """What the browser makes a segment's attention map from.

    replayed: the segment with its whole maps; None where there are recorded blocks only, and why says so. A segment of
    more than MOST rows is pooled here, over all layers and heads.
    """
    trace = run.trace
    record = replayed or trace.segments[index]
    layout, n = (
        (record.layout, record.attention.shape[-1]) if replayed else attention_slices.recorded_layout(trace, record)
    )
    state = {"state": "ready"} if replayed else {"state": "absent", "why": why}
    if n > attention_slices.MOST:
        absent = {"state": "absent", "why": why or "The whole maps of segments this long are in the app."}
        return {f"maps/{index}": attention_slices.attention(trace, trace.segments[index], pooled_here=True, **absent)}
    meta = {
        "index": index,
        "start": record.start,
        "n": n,
        "groups": attention_slices.groups_of(layout, n, trace.meta["causal"]),
        "layout": layout,
        "tokens": record.tokens,
        "spans": slices.local_spans(trace.spans, record),
        "pooled": False,
        "known": replayed is not None,
        "kept": replayed is not None,
        **state,
    }
    at = edges(n, n)
    maps = short({"maps": np.asarray(record.attention, np.float32)}) if replayed else {}
    return {f"maps/{index}": slices.pack(meta, rows=at, columns=at, **maps)}


def short(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Round floats to the precision of float16, which thin maps have: they compress to half the size."""
    return {name: _rounded(array) if array.dtype.kind == "f" else array for name, array in arrays.items()}


def _rounded(array: np.ndarray) -> np.ndarray:
    bits = np.array(array, np.float32).view(np.uint32)
    whole = np.isfinite(array)
    bits[whole] = (bits[whole] + (1 << DROPPED - 1)) >> DROPPED << DROPPED
    return bits.view(np.float32)
