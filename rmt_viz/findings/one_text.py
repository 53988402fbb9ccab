"""Findings of Loss on one text, with memory and with memory reset: loss by position, tokens helped and hurt most.

No torch, no streamlit. A trace's loss at a token is that of predicting the next one.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import pairwise

import numpy as np

from rmt.trace import Trace
from rmt_viz.findings.loss import Line, bins

AROUND = 7  # tokens shown before the one that is predicted, and after it
MOST = 8


@dataclass(frozen=True)
class Jump:
    """A token whose loss memory changed: nats saved, its probability with and without memory, and its place."""

    segment: int
    before: str
    token: str
    after: str
    gain: float
    with_memory: float
    without: float


def comparable(trace: Trace, reset: Trace) -> bool:
    """Whether both traces have scored the same text, cut alike, in two segments or more."""
    same = np.array_equal(trace.arrays["ids"], reset.arrays["ids"])
    cut = np.array_equal(trace.arrays["starts"], reset.arrays["starts"])
    return bool(same and cut and min(trace.done, reset.done) > 1 and np.isfinite(_gain(trace, reset)).any())


def _gain(trace: Trace, reset: Trace) -> np.ndarray:
    """(Tn,) nats that memory saves at each token, nan where nothing was scored, and in the first segment."""
    n = int(trace.arrays["starts"][min(trace.done, reset.done)])
    gain = np.array(reset.arrays["loss"][:n]) - trace.arrays["loss"][:n]
    gain[: int(trace.arrays["starts"][1])] = np.nan  # there is nothing before it to remember
    gain[len(trace.arrays["ids"]) - 1 :] = np.nan  # nothing follows the last token
    return gain


def jumps(trace: Trace, reset: Trace, most: int = MOST) -> tuple[list[Jump], list[Jump]]:
    """The tokens that memory helped most and those that it hurt most, the largest change first."""
    gain = _gain(trace, reset)
    order = np.argsort(np.nan_to_num(gain))
    helped = [int(i) for i in order[::-1][:most] if gain[i] > 0]
    hurt = [int(i) for i in order[:most] if gain[i] < 0]
    return [_jump(trace, reset, gain, i) for i in helped], [_jump(trace, reset, gain, i) for i in hurt]


def _jump(trace: Trace, reset: Trace, gain: np.ndarray, i: int) -> Jump:
    text = trace.token_texts(max(i + 1 - AROUND, 0), min(i + 2 + AROUND, len(trace.arrays["ids"])))
    at = i + 1 - max(i + 1 - AROUND, 0)
    return Jump(
        segment=trace.segment_of(i + 1) + 1,
        before="".join(text[:at]),
        token=text[at],
        after="".join(text[at + 1 :]),
        gain=float(gain[i]),
        with_memory=float(np.exp(-trace.arrays["loss"][i])),
        without=float(np.exp(-reset.arrays["loss"][i])),
    )


def rows(of: Iterable[Jump]) -> list[dict]:
    """Jumps as data for the browser."""
    return [asdict(jump) for jump in of]


def saved(trace: Trace, reset: Trace) -> tuple[float, float, int]:
    """Mean nats a token that memory saves, its standard error over segments, and the number of segments."""
    by_segment = _table(_gain(trace, reset), trace)[1:].mean(1).compressed()
    error = by_segment.std(ddof=1) / np.sqrt(len(by_segment)) if len(by_segment) > 1 else np.nan
    return float(by_segment.mean()), float(error), len(by_segment)


def lines(trace: Trace, reset: Trace, *, log: bool) -> list[Line]:
    """Loss by position, mean of the segments after the first, with standard errors over them."""
    drawn = []
    for name, mechanism, of in (("with memory", "rmt", trace), ("memory reset", "none", reset)):
        table = _table(np.array(of.arrays["loss"]), of)[1:]  # (S - 1, T)
        edges = bins(table.shape[1], log=log)
        pooled = np.ma.stack([table[:, a:b].mean(1) for a, b in pairwise(edges)], 1)
        error = pooled.std(0, ddof=1) / np.sqrt(pooled.count(0)) if len(pooled) > 1 else np.ma.zeros(pooled.shape[1])
        middle, mean = (edges[:-1] + edges[1:] + 1) / 2, pooled.mean(0)
        scored = ~np.ma.getmaskarray(mean)
        values = (middle[scored], mean.compressed(), error.filled(0.0)[scored])
        drawn.append(Line(name, mechanism, name != "with memory", *values))
    return drawn


def finding(trace: Trace, reset: Trace) -> str:
    """A sentence on what memory does to this text's loss."""
    mean, error, n = saved(trace, reset)
    over = f"over {n} segments" if n > 1 else "in one segment"
    spread = f" ± {error:.3f}" if np.isfinite(error) else ""
    if np.isfinite(error) and abs(mean) <= 2 * error:
        return f"Memory changes this text’s loss by {-mean:+.3f}{spread} nats a token {over}: no more than chance would"
    verb = "saves" if mean > 0 else "costs"
    return f"Memory {verb} {abs(mean):.3f}{spread} nats a token {over}"


def table(trace: Trace, reset: Trace) -> dict[str, list]:
    """Columns of every scored token after the first segment, for the CSV."""
    gain = _gain(trace, reset)
    at = np.flatnonzero(np.isfinite(gain))
    texts = trace.tokens
    return {
        "segment": [trace.segment_of(i + 1) + 1 for i in at],
        "predicted token": [texts[i + 1] for i in at],
        "loss with memory": trace.arrays["loss"][at].tolist(),
        "loss with memory reset": reset.arrays["loss"][at].tolist(),
        "saved (nats)": gain[at].tolist(),
    }


def _table(values: np.ndarray, trace: Trace) -> np.ma.MaskedArray:
    """Values of tokens as rows of segments (S, T), masked where a segment is short or nothing was scored."""
    starts = trace.arrays["starts"][: trace.done + 1]
    out = np.full((trace.done, int(np.diff(starts).max())), np.nan)
    for s, (a, b) in enumerate(pairwise(starts)):
        out[s, : len(values[a:b])] = values[a:b]
    return np.ma.masked_invalid(out)
