"""Slices of a run as bytes for the stepping surface: an overview, and one segment at a time.

A slice is: length of the header (4 bytes, little-endian), header (JSON, padded to 8), arrays one after another,
each padded to 8 bytes. The header is {"meta": ..., "arrays": {name: {"dtype", "shape", "offset"}}}.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from rmt.measure import Measures, edges, measure, pool, token_loss
from rmt.trace import SegmentRecord, Trace
from rmt.viewer import map_scales, people
from rmt.viewer.sentence import question_text, remark, sentence

BINS = 256  # bins of the spine, for any length of the run
WINDOW = 24  # segments around the current one in the grid of change
TYPES = {"f": "<f4", "i": "<i4", "u": "<i4"}


@dataclass(frozen=True)
class Run:
    """A run to show: its id, its trace, its source ("recorded", "live" or "uploaded"), and its measures.

    maker: opens the model that made the run again, where it is a visitor's own.
    """

    id: str
    trace: Trace
    source: str
    maker: object = None

    @cached_property
    def measures(self) -> Measures:
        return measure(self.trace)

    @cached_property
    def token_write(self) -> tuple[float, float]:
        """Maximum and mean of the tokens' shares of write memory's attention; zeros below detail "summary"."""
        values = self.trace.arrays.get("token_write", np.zeros(1))[:]
        return float(values.max(initial=0.0)), float(values.mean())

    @cached_property
    def largest(self) -> dict[str, float]:
        """The ends of the run's scales: change of a slot and of the mean slot, loss of a segment and of a token."""
        losses = token_loss(self.trace, 0, len(self.trace.arrays["ids"]))
        values = {"slot": self.measures.change, "change": self.measures.slot_mean, "loss": self.measures.loss}
        values["token_loss"] = losses
        return {name: float(np.nanmax(row, initial=0.0)) for name, row in values.items()}

    @cached_property
    def map_ends(self) -> dict[str, np.ndarray] | None:
        """The ends of the scales of its maps; see `rmt.viewer.map_scales`."""
        return map_scales.map_ends(self.trace, [beat.segment for beat in self.measures.beats])

    @cached_property
    def text(self) -> bytes:
        """A digest of the token ids: runs over the same text have the same."""
        return hashlib.sha256(self.trace.arrays["ids"][:]).digest()


def pack(meta: dict, **arrays: np.ndarray) -> bytes:
    """Pack a slice as bytes; numbers become float32 or int32."""
    parts, index, offset = [], {}, 0
    for name, array in arrays.items():
        data = np.ascontiguousarray(array, TYPES[np.asarray(array).dtype.kind])
        body = data.tobytes() + b"\0" * (-data.nbytes % 8)
        index[name] = {"dtype": data.dtype.str, "shape": data.shape, "offset": offset}
        parts.append(body)
        offset += len(body)
    head = json.dumps({"meta": meta, "arrays": index}).encode()
    head += b" " * (-(4 + len(head)) % 8)
    return len(head).to_bytes(4, "little") + head + b"".join(parts)


def overview(
    run: Run, over: int = 0, controls: Mapping[str, Run] | None = None, family: Sequence[Run] | None = None
) -> bytes:
    """Make the slice of the whole run, in constant size: pooled rows of the spine, beats, marks, scales.

    over: segments of a longer run whose bins are used, as the two are drawn on one axis. controls: the same text with
    memory reset, and by weights that were never trained. family: the runs that share their scales with this one, by
    default its controls.
    """
    trace, measures = run.trace, run.measures
    at = edges(max(over, trace.done), BINS)
    at = np.unique(np.minimum(at, trace.done))
    rows = {"write": measures.share("write"), "read": measures.share("read"), "change": measures.slot_mean}
    rows |= {"knows": measures.knows[1:], "loss": measures.loss}
    rows = {name: pool(row, at) for name, row in rows.items() if np.isfinite(row).any()}
    meta = {
        "id": run.id,
        "n_segments": trace.done,
        "complete": trace.complete,
        "classes": trace.classes,
        "label": trace.meta["label"],
        "question": question_text(trace),
        "n_layers": trace.meta["made_by"]["layers"],
        "n_heads": trace.meta["made_by"]["heads"],
        "n_memory": trace.arrays["memory"].shape[1],
        "causal": trace.meta["causal"],
        "read_blocks": bool(trace.meta.get("read_blocks")),
        "detail": trace.meta["detail"],
        "control": trace.meta["control"],
        "beats": people.beats(measures.beats),
        "people": people.told(run, controls or {}),
        "who": measures.who().name if measures.followed else None,
        "answer": measures.answer,
        "marks": marks(run),
        **_scales(run, [*(controls or {}).values()] if family is None else family),
    }
    moved = measures.slot_mean
    peak = np.array([a + int(np.argmax(moved[a:b])) for a, b in pairwise(at)])
    pooled = {f"{name}_{of}": row[i] for name, row in rows.items() for i, of in enumerate(("max", "mean"))}
    return pack(meta, edges=at, peak=peak, **pooled, **people.rows(measures, at))


def _scales(run: Run, family: Sequence[Run]) -> dict:
    """The ends of the scales, the largest numbers of a run and its family, so that a colour means the same in each."""
    alike = [run, *family]
    most = {name: max(each.largest[name] for each in alike) for name in run.largest}
    losses = [token_loss(each.trace, 0, len(each.trace.arrays["ids"])) for each in alike if _same_text(run, each)]
    apart = max((np.nanmax(np.abs(loss - losses[0]), initial=0.0) for loss in losses), default=0.0)
    return {
        "change_scale": most["slot"],
        "write_scale": max(each.token_write[0] for each in alike),
        "write_mean": max(each.token_write[1] for each in alike),
        "loss_scale": most["token_loss"],
        "gain_scale": float(apart),
        "rows": {"change": most["change"], "loss": most["loss"]},
        "maps": map_scales.shared([each.map_ends for each in alike]),
        "shared": any(each.id != run.id for each in family),
    }


def segment(run: Run, index: int, layer: int | None = None, head: int | None = None, reset: Run | None = None) -> bytes:
    """Make the slice of one segment.

    layer, head: of the maps, None for the mean of all. reset: the run's reset control, for the gain in loss.
    """
    meta, arrays = segment_parts(run, index, layer, head, reset)
    return pack(meta, **arrays)


def segment_parts(
    run: Run,
    index: int,
    layer: int | None = None,
    head: int | None = None,
    reset: Run | None = None,
    maps: bool = True,
) -> tuple[dict, dict[str, np.ndarray]]:
    """The meta and arrays that `segment` packs. maps: False leaves out the thin maps."""
    trace, measures = run.trace, run.measures
    record = trace.segments[index]
    start = max(0, min(index - WINDOW // 2, trace.done - WINDOW))
    meta = {
        "index": index,
        "start": record.start,
        "tokens": record.tokens,
        "spans": local_spans(people.owned(trace), record),
        "sentence": sentence(trace, measures, record),
        "sentences": {one.name: sentence(trace, measures, record, one.name) for one in measures.followed},
        "remark": remark(measures, index),
        "window_start": start,
        "similarity": float(measures.similarity[index]),
    }
    arrays = {"window": measures.change[start : start + WINDOW], "ids": record.ids}
    if trace.classes and np.isfinite(record.asked).all():
        arrays |= {"asked_before": trace.arrays["asked"][index], "asked": record.asked}
    if measures.followed:
        arrays |= people.moment(run, index)
    if measures.shares:
        arrays |= {f"{block}_share": share[index] for block, share in measures.shares.items()}
        arrays |= {"token_write": record.token_write, "token_read": record.token_read}
    if maps and record.read is not None:
        arrays |= _maps(record, layer, head)
    loss = token_loss(trace, record.start, record.end)
    if np.isfinite(loss).any():
        arrays["loss"] = loss
        if _same_text(run, reset):
            arrays["gain"] = token_loss(reset.trace, record.start, record.end) - loss
    return meta, arrays


def colours(run: Run, reset: Run | None) -> list[str]:
    """The values that tokens can be coloured by in this run."""
    loss = np.isfinite(run.measures.loss).any()
    return [
        *(block for block in ("write", "read") if run.measures.shares and run.measures.shares[block].any()),
        *(["loss"] if loss else []),
        *(["gain"] if loss and reset is not None else []),
    ]


def opening(run: Run, colours: list[str]) -> dict:
    """Where a visitor begins: at the segment that replaces a fact or else writes one, or moves memory far."""
    kinds = [beat.kind for beat in run.measures.beats]
    wanted = ("update",) if "update" in kinds else ("write", "change")
    first = next((beat.segment + 1 for beat in run.measures.beats if beat.kind in wanted), 1)
    who = {"who": run.measures.who().name} if run.measures.followed else {}
    return {"segment": first, "colour": (*colours, None)[0], **who}


def _maps(record: SegmentRecord, layer: int | None, head: int | None) -> dict[str, np.ndarray]:
    """The thin maps of a layer and head, or means: read and write (M, T), and the tokens' shares that follow."""
    read, write = (np.asarray(maps, np.float32) for maps in (record.read, record.write))
    for axis, pick in ((1, head), (0, layer)):
        read, write = (m.mean(axis) if pick is None else m.take(pick, axis) for m in (read, write))
    return {"read": read.T, "write": write, "token_write": write.sum(0) / max(len(write), 1), "token_read": read.sum(1)}


def marks(run: Run) -> list[dict]:
    """Segments that hold a fact, with whose it is where that is known, or the question."""
    spans = [span for span in people.owned(run.trace) if span["kind"] in ("fact", "question")]
    found = {(run.trace.segment_of(span["start"]), span["kind"], span.get("who", -1)) for span in spans}
    return [{"segment": s, "kind": kind, **({"who": who} if who >= 0 else {})} for s, kind, who in sorted(found)]


def local_spans(spans: list[dict], record: SegmentRecord) -> list[dict]:
    """Spans that reach into the segment, counted from its first token."""
    cut = [(s, max(s["start"], record.start), min(s["end"], record.end)) for s in spans]
    return [{**s, "start": a - record.start, "end": b - record.start} for s, a, b in cut if a < b]


def _same_text(run: Run, other: Run | None) -> bool:
    return other is not None and run.text == other.text
