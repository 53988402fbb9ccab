"""Slices of a segment's whole attention map: one head or a mean, in labelled blocks, pooled where it is large."""

from collections.abc import Callable

import numpy as np

from rmt.errors import InputError
from rmt.measure import edges
from rmt.trace import SegmentRecord, Trace
from rmt.viewer.block_slices import retrieved
from rmt.viewer.slices import local_spans, pack

MOST = 256  # rows of a map that is sent, at most; a longer one is pooled, and a window shows exact cells
WINDOW = 32  # rows of a window, each high enough for its token's text
HOWS = ("mean", "max")  # how layers and heads that are not chosen are reduced
Layout = dict[str, tuple[int, int]]


def attention(
    trace: Trace,
    record: SegmentRecord,
    *,
    layer: int | None = None,
    head: int | None = None,
    how: str = "mean",
    at: tuple[int, int] | None = None,
    **state,
) -> bytes:
    """Make the slice of a segment's attention map, (rows, columns) of queries and keys, NaN where it is unknown.

    record: a replay, or a recorded segment, whose thin maps are then drawn. at: query and key in the middle of a
    window of exact cells. state: more entries of the slice's meta (state, error, again).
    """
    if how not in HOWS:
        raise InputError(f"Maps are taken together by {' or '.join(HOWS)}, not {how[:12]!r}.")
    layout, n = (record.layout, record.attention.shape[-1]) if record.layout else recorded_layout(trace, record)
    values = _reduce(record, layout, n, lambda maps: getattr(np, how)(_of(maps, layer, head), axis=(0, 1)))
    groups = groups_of(layout, len(values), trace.meta["causal"])
    rows, columns = (_window(i, len(values)) for i in at) if at else [_bins(groups, len(values))] * 2
    pooled = values[rows[0] : rows[-1], columns[0] : columns[-1]]
    for axis, edge in ((0, rows), (1, columns)):
        pooled = np.maximum.reduceat(pooled, edge[:-1] - edge[0], axis=axis)
    one_number = how == "mean" or None not in (layer, head)  # a maximum over heads has no shares
    blocks, by_block = retrieved(trace, record, values) if one_number and record.blocks is not None else ([], {})
    meta = {
        "index": record.index,
        "start": record.start,
        "n": len(values),
        "groups": groups,
        "tokens": record.tokens,
        "spans": local_spans(trace.spans, record),
        "pooled": bool(len(rows) - 1 < rows[-1] - rows[0]),
        "known": record.attention is not None,
        "blocks": blocks,
        "shares": _shares(values, layout) if one_number else {},
        **state,
    }
    return pack(meta, map=pooled, rows=rows, columns=columns, **by_block)


def recorded_layout(trace: Trace, record: SegmentRecord) -> tuple[Layout, int]:
    """The layout of a recorded segment, as decoders and encoders are read, and N."""
    t, m = record.end - record.start, trace.meta["made_by"]["n_memory"]
    r = m if record.answer_read is None else record.answer_read.shape[-1]
    w = m if record.write is None else record.write.shape[-2]
    if trace.meta["causal"]:
        return {"tokens": (r, r + t), "read": (0, r), "write": (r + t, r + t + w)}, r + t + w
    block = max(r, w)  # [CLS] memory [SEP] tokens [SEP]
    return {"tokens": (block + 2, block + 2 + t), "read": (1, 1 + r), "write": (1, 1 + w)}, block + t + 3


def groups_of(layout: Layout, n: int, causal: bool) -> list[dict]:
    """Group the positions in order: {"kind", "start", "stop"}; kinds are read, write, memory (both), tokens, mark."""
    parts = {name: span for name, span in layout.items() if span[1] > span[0]}
    if "read" in parts and "write" in parts and parts["read"][0] == parts["write"][0]:  # an encoder's one block
        parts["memory"] = max(parts.pop("read"), parts.pop("write"))
    groups, at = [], 0
    for kind, (start, stop) in sorted(parts.items(), key=lambda item: item[1]):
        groups += [{"kind": "mark", "start": at, "stop": start}] if start > at else []
        groups.append({"kind": kind, "start": start, "stop": stop})
        at = stop
    return groups + ([{"kind": "mark", "start": at, "stop": n}] if at < n else [])


def _reduce(record: SegmentRecord, layout: Layout, n: int, reduce: Callable) -> np.ndarray:
    """Reduce the maps of layers and heads to one (N, N); of a recorded segment only the recorded blocks are known."""
    if record.attention is not None:
        return reduce(record.attention)
    values = np.full((n, n), np.nan, np.float32)
    if record.read is not None:
        tokens, read, write = (slice(*layout[name]) for name in ("tokens", "read", "write"))
        values[tokens, read] = reduce(np.asarray(record.read, np.float32))
        values[write, tokens] = reduce(np.asarray(record.write, np.float32))
    return values


def _of(maps: np.ndarray, layer: int | None, head: int | None) -> np.ndarray:
    """The maps (L, H, ...) of the chosen layer and head alone."""
    maps = maps if layer is None else maps[layer : layer + 1]
    return maps if head is None else maps[:, head : head + 1]


def _bins(groups: list[dict], n: int) -> np.ndarray:
    """The edges of at most about `MOST` bins of rows; no bin crosses the end of a group."""
    share = min(1.0, MOST / n)
    lengths = [(group["start"], group["stop"] - group["start"]) for group in groups]
    parts = [start + edges(length, max(1, round(share * length)))[:-1] for start, length in lengths]
    return np.concatenate([*parts, [n]])


def _window(middle: int, n: int) -> np.ndarray:
    start = max(0, min(middle - WINDOW // 2, n - WINDOW))
    return np.arange(start, min(start + WINDOW, n) + 1)


def _shares(values: np.ndarray, layout: Layout) -> dict[str, float]:
    """Each block's share of the attention of its rows in this map; local is the rest of all rows."""
    tokens, read, write = (slice(*layout[name]) for name in ("tokens", "read", "write"))
    blocks = {"read": values[tokens, read], "write": values[write, tokens], "carry": values[write, read]}
    totals = {name: float(block.sum() / block.shape[0]) for name, block in blocks.items() if block.size}
    totals["local"] = float((values.sum() - sum(float(block.sum()) for block in blocks.values())) / len(values))
    return {name: share for name, share in totals.items() if np.isfinite(share)}
