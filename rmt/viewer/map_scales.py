"""The ends of the scales of a run's maps, for each layer and head and for their means: they hold for all segments."""

from collections.abc import Sequence

import numpy as np

from rmt.trace import Trace

LOOKED_AT = 64  # segments of a long run, evenly spaced, and those of its beats


def map_ends(trace: Trace, also: Sequence[int] = ()) -> dict[str, np.ndarray] | None:
    """The largest numbers of the thin maps, each (L + 1, H + 1), index 0 for the mean; None where none were kept.

    read, write: of a slot and a token. write_tokens, write_mean: largest and mean share of a token in the attention of
    all slots. also: segments that are looked at in any case.
    """
    if "read" not in trace.arrays or not trace.done:
        return None
    n = trace.done
    looked = sorted({*(i * (n - 1) // max(min(n, LOOKED_AT) - 1, 1) for i in range(min(n, LOOKED_AT))), *also})
    rows = []
    for s in looked:
        record = trace.segments[s]
        read, write = (_with_means(np.asarray(maps, np.float32)) for maps in (record.read, record.write))
        tokens = write.mean(2) if write.shape[2] else write.sum(2)  # (L + 1, H + 1, T)
        rows.append([_largest(read), _largest(write), _largest(tokens), tokens.mean(-1)])
    ends = np.array(rows)  # (segments, 4, L + 1, H + 1)
    most, mean = ends[:, :3].max(0), ends[:, 3].mean(0)
    return {"read": most[0], "write": most[1], "write_tokens": most[2], "write_mean": mean}


def shared(ends: Sequence[dict[str, np.ndarray] | None]) -> dict[str, list] | None:
    """The ends for several runs of one model, as JSON values; None where a run has none, or others' shape."""
    there = [one for one in ends if one is not None]
    if not there or len({one["read"].shape for one in there}) > 1:
        return None
    return {name: np.round(np.max([one[name] for one in there], axis=0), 6).tolist() for name in there[0]}


def _with_means(maps: np.ndarray) -> np.ndarray:
    """Maps (L, H, ., .) with the means of heads, of layers, and of both in front: (L + 1, H + 1, ., .)."""
    maps = np.concatenate([maps.mean(1, keepdims=True), maps], 1)
    return np.concatenate([maps.mean(0, keepdims=True), maps], 0)


def _largest(maps: np.ndarray) -> np.ndarray:
    return maps.reshape(*maps.shape[:2], -1).max(-1, initial=0.0)
