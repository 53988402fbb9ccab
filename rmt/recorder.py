"""Recording a run segment by segment, and replaying any segment of it."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rmt.attention import Maps, Scores, Weights, thin
from rmt.backbone import HFBackbone, Layout, Output, answering
from rmt.errors import InputError
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.provenance import made_by
from rmt.segments import Segment
from rmt.segments import spans as cuts
from rmt.spans import find_spans
from rmt.tasks.base import Span
from rmt.trace import SegmentRecord, Trace
from rmt.trace_file import DETAILS, TraceWriter, temporary
from rmt.unroll import unroll

ASK_AT_ONCE = 64  # states asked in one batch
SOME = 4096  # tokens whose texts are looked up at once


class Recorder:
    """A Backbone around a Backbone that keeps what attention did in the last segment it ran.

    full: keep whole maps (B, H, N, N) too, as a replay does.
    deferred: keep queries and keys and compute the maps of all layers in one go: fewer kernels, more memory. By
    default where launching a kernel costs more than it does, on CUDA.
    """

    def __init__(self, backbone: HFBackbone, *, full: bool = False, deferred: bool | None = None):
        self.backbone, self.full, self.deferred = backbone, full, deferred
        self.all: Maps | None = None  # of the last segment, all layers

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    @property
    def maps(self) -> list[Maps]:
        """Of the last segment, one a layer."""
        return self.all.layers()

    def __call__(self, x: Tensor, *, layout: Layout, mask: Tensor | None = None, **options) -> Output:
        self.all = None  # what is no longer needed must not be alive beside this segment's activations
        deferred = x.is_cuda if self.deferred is None else self.deferred
        kept, whole = [], []

        def capture(layer: Scores | Weights) -> None:
            if self.full:
                whole.append(layer.full())
            kept.append(layer if deferred and isinstance(layer, Scores) else layer.parts(layout))

        output = self.backbone(x, layout=layout, mask=mask, capture=capture, **options)
        if len(kept) != self.backbone.n_layers:
            raise InputError(
                f"{type(self.backbone.model).__name__} hands out the attention of {len(kept)} of its "
                f"{self.backbone.n_layers} layers; record it at detail 'memory', or use another family."
            )
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            maps = thin(kept, self.backbone, layout, answering(layout, mask))
            self.all = replace(maps, attention=torch.stack(whole)) if self.full else maps
        return output

    def arrays(self, detail: str) -> dict[str, np.ndarray]:
        """What a trace of this detail keeps of the last segment's first sample; names and shapes as in `rmt.trace`."""
        read, write = self.all.read[:, 0], self.all.write[:, 0]  # (L, H, T, R), (L, H, W, T)
        n_maps = read.shape[0] * read.shape[1]
        found = {"mass": self.all.mass[:, 0], "answer_read": self.all.answer_read[:, 0]}
        found["token_write"] = write.sum((0, 1, 2)) / (n_maps * max(write.shape[2], 1))
        found["token_read"] = read.sum((0, 1, 3)) / n_maps
        if detail == "thin":
            found["read"], found["write"] = (
                t.to(torch.float16, memory_format=torch.contiguous_format) for t in (read, write)
            )
        return {name: _numpy(value) for name, value in found.items()}


@dataclass(frozen=True)
class Document:
    """A text in tokens: ids (n_tokens,), their texts as one, where each ends in it in bytes, and the spans found."""

    ids: np.ndarray
    text: bytes
    ends: np.ndarray
    spans: list[Span]


@torch.inference_mode()
def record(
    model: Model,
    text: str | Sequence[int] | np.ndarray | Tensor,
    *,
    detail: str = "summary",
    out: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    spans: Sequence[Span] = (),
    label: int | None = None,
    control: str | None = None,
    seed: int | None = None,
    loss: bool = True,
) -> Trace:
    """Run a model over a document and keep what its memory did.

    text: a string, or token ids (n_tokens,). detail: memory, summary or thin (see `rmt.trace`). out: where to
    write, a temporary file by default; where it holds this very recording, begun and not finished, that goes on
    to the same end. progress(done, n_segments) is called after each segment.
    spans and label: where facts and question stand, and the right class, as a task's example gives them; in a
    string they are looked for. control "reset" puts the initial memory back before every segment.
    loss: score a language model at every token; without it the head, most of a small model's work, never runs.
    Raises InputError for a text that cannot be recorded.
    """
    if detail not in DETAILS:
        raise InputError(f"There is no level of detail {detail!r}; choose {', '.join(DETAILS)}.")
    if control not in (None, "reset"):
        raise InputError(f"There is no control {control!r} for a recording; choose reset.")
    document = _read(model, text)
    spans = list(spans) or document.spans
    path, keep = (Path(out), None) if out else temporary()
    about = {"spans": spans, "label": label, "control": control, "detail": detail, "seed": seed}
    with closing(_open(path, model, document, **about)) as writer:
        ids = torch.as_tensor(document.ids, device=model.device)[None]
        del document  # its texts are in the file
        segments = model.split(ids, labels=ids if loss and model.backbone.head == "lm" else None)
        for done in _run(writer, model, segments, detail, control):
            if done == len(segments):
                _ask(writer, model, ids, spans)
            writer.finish(done)
            if progress:
                progress(done, len(segments))
    return Trace.open(path, keep=keep)


def _run(writer: TraceWriter, model: Model, segments: list[Segment], detail: str, control: str | None):
    """Read and write what is missing of a recording; yield how many segments are there after each."""
    cell, first, start = model.cell, model.cell.initial(1), sum(s.ids.shape[1] for s in segments[: writer.done])
    state = first
    if writer.done:
        memory = writer.read("memory", 0 if cell.past else writer.done, writer.done + 1)
        state = _state(model, memory)
    watcher = model.backbone if detail == "memory" else Recorder(model.backbone)
    before = (lambda i, s: first) if control == "reset" else None
    steps = unroll(cell, watcher, segments[writer.done :], state=state, before=before)
    for i, (segment, step, state) in enumerate(steps, writer.done):
        values = watcher.arrays(detail) if detail != "memory" else {}
        values |= {"memory": _numpy(cell.slots(state)), "loss": np.full(segment.ids.shape[1], np.nan, np.float32)}
        if segment.labels is not None:
            values["loss"] = _numpy(step.output.token_loss(segment.labels)[0])
        writer.segment(i, start, values)
        del values  # nothing of this segment but its state is alive beside the next
        if model.backbone.head == "classify" and i == len(segments) - 1:
            writer.write("probabilities", 0, _numpy(step.logits[0].float().softmax(-1)))
        start += segment.ids.shape[1]
        yield i + 1


@torch.inference_mode()
def replay(model: Model, trace: Trace, segment: int) -> SegmentRecord:
    """Run one segment again from its stored memory, with everything: attention (L, H, N, N), read, write, logits.

    Equal to the recorded run bit for bit on the same machine. logits (T, V) of a language model, (C,) of a
    classifier, None where the model has no head. Raises InputError where the model is another one.
    """
    if fingerprint(model) != trace.meta["made_by"]["fingerprint"]:
        raise InputError(
            f"This trace was made with {trace.meta['made_by']['checkpoint']} and other weights; replay it with those."
        )
    recorded = trace.segments[segment]
    ids = torch.as_tensor(np.array(recorded.ids), device=model.device).long()[None]
    recorder = Recorder(model.backbone, full=True)
    s = 0 if trace.meta["control"] == "reset" else recorded.index
    state = _state(model, trace.arrays["memory"][0 if model.cell.past else s : s + 1])
    step, state = model.cell.step(recorder, Segment(ids), state)
    names = ("read", "write", "mass", "answer_read", "attention")
    return replace(
        recorded,
        memory=_numpy(model.cell.slots(state)[0]),
        logits=None if model.backbone.head == "none" else _numpy(step.logits[0]),
        **{name: _numpy(getattr(recorder.all, name)[:, 0]) for name in names},
    )


def fingerprint(model: Model) -> str:
    """What tells a model's weights from others': its checkpoint's, or for one made in memory a hash of them."""
    if model.about.fingerprint:
        return model.about.fingerprint
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def _state(model: Model, memory: np.ndarray) -> State:
    """The state from stored slots (1, M, D), or (s + 1, M, D) where a cell keeps its past."""
    slots = torch.tensor(np.array(memory), device=model.device, dtype=next(model.parameters()).dtype)
    state = model.cell.restore(slots[None] if model.cell.past else slots)
    return map_state(Tensor.contiguous, state)  # matrix products of a view may differ in the last bit


def _read(model: Model, text) -> Document:
    """A string or token ids as a document."""
    if isinstance(text, str):
        if model.tokenizer is None:
            raise InputError("This checkpoint has no tokenizer.json, so it reads token ids only; give those.")
        text = text.encode("utf-8", "replace").decode()
        encoding = model.tokenizer.encode(text, add_special_tokens=False)
        if not encoding.ids:
            raise InputError("The text is empty; write at least one word.")
        ends = np.maximum.accumulate([end for _, end in encoding.offsets])
        ends[-1] = len(text)  # white space at the end belongs to the last token
        pieces = [text[a:b].encode() for a, b in zip([0, *ends], ends, strict=False)]
        spans = find_spans(text, ends, model.about.classes)
        return Document(np.array(encoding.ids), text.encode(), np.cumsum([len(piece) for piece in pieces]), spans)
    ids = np.asarray(text.cpu() if isinstance(text, Tensor) else text).reshape(-1)
    size = model.backbone.model.get_input_embeddings().num_embeddings
    if not len(ids) or not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0 or ids.max() >= size:
        raise InputError(f"Token ids are whole numbers from 0 to {size - 1}, at least one of them.")
    ids = ids.astype(np.int64, copy=False)
    return Document(ids, *_texts(model, ids), [])


def _texts(model: Model, ids: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The text of all tokens and where each ends; made from a table of each id's, as documents are long."""
    known = np.flatnonzero(np.bincount(ids))
    table, lengths = {int(i): _token_text(model, int(i)) for i in known}, np.zeros(known[-1] + 1, np.int64)
    lengths[known] = [len(text) for text in table.values()]
    ends = lengths[ids]
    np.cumsum(ends, out=ends)
    blocks = (ids[i : i + SOME].tolist() for i in range(0, len(ids), SOME))
    return b"".join(b"".join(map(table.__getitem__, block)) for block in blocks), ends


def _token_text(model: Model, token: int) -> bytes:
    if model.tokenizer is None:
        return f"[{token}]".encode()
    return model.tokenizer.decode([token], skip_special_tokens=False).encode("utf-8", "replace")


def _open(path, model, document, *, spans, label, control, detail, seed) -> TraceWriter:
    """The trace file of this run, new or as far as it got."""
    lengths = [end - start for start, end in cuts(len(document.ids), model.segment_length, model.alignment)]
    cell, slots = model.cell, model.cell.slots(model.cell.initial(1))
    meta = {
        "detail": detail,
        "task": model.about.task,
        "classes": model.about.classes,
        "label": label,
        "spans": [{"kind": s.kind, "start": s.start, "end": s.end} for s in spans],
        "segment_length": model.segment_length,
        "n_memory": slots.shape[1],
        "causal": model.backbone.causal,
        "head": model.backbone.head,
        "control": control or (None if model.about.trained else "untrained"),
        "seed": seed,
        "made_by": {**made_by(model), "fingerprint": fingerprint(model)},
    }
    n_read, n_write = cell.n_read, cell.n_write
    if not model.backbone.causal:  # one block is read, and its first n_write positions are written
        n_read = max(n_read, n_write)
    sizes = {
        **{"S": len(lengths), "Tn": len(document.ids), "T": max(lengths), "bytes": len(document.text)},
        **{"M": slots.shape[1], "D": slots.shape[2], "R": n_read, "W": n_write},
        **{"L": model.backbone.n_layers, "H": model.backbone.n_heads, "C": len(model.about.classes)},
    }
    fixed = {
        "starts": np.cumsum([0, *lengths]),
        "token_ends": document.ends,
        "ids": document.ids,
        "token_text": np.frombuffer(document.text, np.uint8),
        "memory": _numpy(slots),
    }
    return TraceWriter(path, meta, sizes, fixed, wide=slots.dtype == torch.float64)


def _ask(writer: TraceWriter, model: Model, ids: Tensor, spans: Sequence[Span]) -> None:
    """Ask the question of every state of the run, on copies, many states at once."""
    question = next((s for s in spans if s.kind == "question"), None)
    if question is None or model.backbone.head != "classify":
        return
    words = ids[:, question.start : question.end]
    n_states, past = writer.arrays["memory"][1][0], model.cell.past
    for i in range(0, n_states, 1 if past else ASK_AT_ONCE):
        memory = writer.read("memory", 0, i + 1) if past else writer.read("memory", i, min(i + ASK_AT_ONCE, n_states))
        state = _state(model, memory)
        output = model(words.expand(1 if past else len(memory), -1), state=state)
        writer.write("asked", i, _numpy(output.logits.float().softmax(-1)))


def _numpy(tensor: Tensor) -> np.ndarray:
    """To numpy; bfloat16 as the float32 it fits in."""
    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return tensor.cpu().numpy()
