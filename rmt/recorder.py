"""Recording a run segment by segment, and replaying any segment of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from rmt.backbone import HFBackbone, Layout, Output
from rmt.errors import InputError
from rmt.model import Model
from rmt.provenance import made_by
from rmt.segments import IGNORE, Segment
from rmt.spans import find_spans
from rmt.tasks.base import Span
from rmt.trace import DETAILS, SegmentRecord, Trace, TraceWriter, temporary
from rmt.unroll import unroll

ASK_AT_ONCE = 64  # states asked in one batch


@dataclass(frozen=True)
class Maps:
    """What attention did in one layer of one segment, cut by the layout.

    read (B, H, T, M) tokens to read memory, write (B, H, M, T) write memory to tokens, answer_read (B, H, M) the
    answering position to read memory, mass (B, H, 4) the sums over the blocks read, write, carry, local.
    """

    read: Tensor
    write: Tensor
    answer_read: Tensor
    mass: Tensor
    attention: Tensor | None = None


class Recorder:
    """A Backbone around a Backbone that keeps what attention did in the last segment it ran.

    full: keep whole maps (B, H, N, N) too, as a replay does.
    """

    def __init__(self, backbone: HFBackbone, *, full: bool = False):
        self.backbone, self.full = backbone, full
        self.maps: list[Maps] = []  # of the last segment, one a layer

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    def __call__(self, x: Tensor, *, layout: Layout, mask: Tensor | None = None) -> Output:
        self.maps = []
        return self.backbone(x, layout=layout, mask=mask, capture=lambda p: self.maps.append(self._cut(p, layout)))

    def _cut(self, p: Tensor, layout: Layout) -> Maps:
        tokens, read, write = layout.tokens, layout.read, layout.write
        answer = layout.tokens.stop - 1 if layout.answer is None else layout.answer
        blocks = p[:, :, tokens, read], p[:, :, write, tokens], p[:, :, write, read]
        mass = torch.stack([block.sum((-1, -2)) for block in blocks], dim=-1)  # (B, H, 3)
        mass = torch.cat([mass, p.shape[-1] - mass.sum(-1, keepdim=True)], dim=-1)
        return Maps(blocks[0], blocks[1], p[:, :, answer, read], mass, p if self.full else None)

    def stack(self, name: str) -> np.ndarray:
        """One field of the maps for all layers, first sample: (L, H, ...)."""
        return torch.stack([getattr(m, name)[0] for m in self.maps]).cpu().numpy()


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
) -> Trace:
    """Run a model over a document and keep what its memory did.

    text: a string, or token ids (n_tokens,). detail: memory, summary or thin (see `rmt.trace`). out: where to
    write; a temporary file by default. progress(done, n_segments) is called after each segment.
    spans and label: where facts and question stand, and the right class, as a task's example gives them; in a
    string they are looked for. control "reset" puts the initial memory back before every segment.
    Raises InputError for a text that cannot be recorded.
    """
    if detail not in DETAILS:
        raise InputError(f"There is no level of detail {detail!r}; choose {', '.join(DETAILS)}.")
    if control not in (None, "reset"):
        raise InputError(f"There is no control {control!r} for a recording; choose reset.")
    ids, texts, found = _read(model, text)
    spans = list(spans) or found
    segments = model.split(torch.as_tensor(ids, device=model.device)[None], labels=_labels(model, ids))
    path, keep = (Path(out), None) if out else temporary()
    writer = _create(path, model, ids, texts, segments, spans, label, control, detail, seed)
    state = first = model.cell.initial(1)
    writer.write("memory", 0, _numpy(model.cell.slots(state)))
    recorder = Recorder(model.backbone)
    before = (lambda i, s: first) if control == "reset" else None
    start = 0
    steps = unroll(model.cell, recorder, segments, state=state, before=before)
    for i, (segment, step, state) in enumerate(steps):
        writer.write("memory", i + 1, _numpy(model.cell.slots(state)))
        if detail != "memory":
            _write_summary(writer, recorder, i, start)
        if detail == "thin":
            _write_maps(writer, recorder, i)
        if model.backbone.head == "lm":
            writer.write("loss", start, _numpy(_token_loss(step.logits[0], segment.labels[0])))
        elif i == len(segments) - 1:
            writer.write("probabilities", 0, _numpy(step.logits[0].float().softmax(-1)))
        start += segment.ids.shape[1]
        if i < len(segments) - 1:
            writer.finish(i + 1)
        if progress:
            progress(i + 1, len(segments))
    _ask(writer, model, Trace.open(path), ids, spans)
    writer.finish(len(segments))
    writer.close()
    return Trace.open(path, keep=keep)


@torch.inference_mode()
def replay(model: Model, trace: Trace, segment: int) -> SegmentRecord:
    """Run one segment again from its stored memory, with everything: attention (L, H, N, N), read, write, logits.

    Equal to the recorded run bit for bit on the same machine. Raises InputError where the model is another one.
    """
    if model.about.fingerprint != trace.meta["made_by"]["fingerprint"]:
        raise InputError(
            f"This trace was made with {trace.meta['made_by']['checkpoint']} and other weights; replay it with those."
        )
    recorded = trace.segments[segment]
    ids = torch.as_tensor(np.array(recorded.ids), device=model.device).long()[None]
    recorder = Recorder(model.backbone, full=True)
    before = trace.arrays["memory"][0 if trace.meta["control"] == "reset" else recorded.index]
    state = torch.tensor(np.array(before), device=model.device, dtype=next(model.parameters()).dtype)[None]
    step, state = model.cell.step(recorder, Segment(ids), state)
    return replace(
        recorded,
        memory=_numpy(model.cell.slots(state)),
        read=recorder.stack("read"),
        write=recorder.stack("write"),
        mass=recorder.stack("mass"),
        answer_read=recorder.stack("answer_read"),
        attention=recorder.stack("attention"),
        logits=_numpy(step.logits[0]),
    )


def _read(model: Model, text) -> tuple[np.ndarray, list[str], list[Span]]:
    """ids (n_tokens,), the text of each token, and the spans found in a string."""
    if isinstance(text, str):
        if model.tokenizer is None:
            raise InputError("This checkpoint has no tokenizer.json, so it reads token ids only; give those.")
        text = text.encode("utf-8", "replace").decode()
        encoding = model.tokenizer.encode(text, add_special_tokens=False)
        if not encoding.ids:
            raise InputError("The text is empty; write at least one word.")
        ends = np.maximum.accumulate([end for _, end in encoding.offsets])
        ends[-1] = len(text)  # white space at the end belongs to the last token
        texts = [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]
        return np.array(encoding.ids), texts, find_spans(text, ends, model.about.classes)
    ids = np.asarray(text.cpu() if isinstance(text, Tensor) else text).reshape(-1)
    size = model.backbone.model.get_input_embeddings().num_embeddings
    if not len(ids) or not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0 or ids.max() >= size:
        raise InputError(f"Token ids are whole numbers from 0 to {size - 1}, at least one of them.")
    if model.tokenizer is None:
        return ids, [f"[{i}]" for i in ids], []
    return ids, [model.tokenizer.decode([int(i)], skip_special_tokens=False) for i in ids], []


def _labels(model: Model, ids: np.ndarray) -> Tensor | None:
    if model.backbone.head == "classify":
        return None
    return torch.as_tensor(ids, device=model.device)[None]


def _create(path, model, ids, texts, segments, spans, label, control, detail, seed) -> TraceWriter:
    lengths = [segment.ids.shape[1] for segment in segments]
    slots = model.cell.slots(model.cell.initial(1))
    S, M, D = len(segments), *slots.shape[1:]  # noqa: N806
    L, H, C, T = model.backbone.n_layers, model.backbone.n_heads, len(model.about.classes), max(lengths)  # noqa: N806
    text = b"".join(raw := [t.encode("utf-8", "replace") for t in texts])
    wide = "<f8" if slots.dtype == torch.float64 else "<f4"
    shapes = {
        "done": ("<i8", (1,)),
        "starts": ("<i8", (S + 1,)),
        "token_ends": ("<i8", (len(ids),)),
        "ids": ("<i4", (len(ids),)),
        "memory": (wide, (S + 1, M, D)),
        "asked": ("<f4", (S + 1, C)),
        "probabilities": ("<f4", (C,)),
        "loss": ("<f4", (len(ids),)),
        "token_text": ("|u1", (len(text),)),
    }
    if detail != "memory":
        shapes |= {
            "mass": ("<f4", (S, L, H, 4)),
            "answer_read": ("<f4", (S, L, H, M)),
            "token_write": ("<f4", (len(ids),)),
            "token_read": ("<f4", (len(ids),)),
        }
    if detail == "thin":
        shapes |= {"read": ("<f2", (S, L, H, T, M)), "write": ("<f2", (S, L, H, M, T))}
    meta = {
        "detail": detail,
        "task": model.about.task,
        "classes": model.about.classes,
        "label": label,
        "spans": [{"kind": s.kind, "start": s.start, "end": s.end} for s in spans],
        "segment_length": model.segment_length,
        "n_memory": M,
        "causal": model.backbone.causal,
        "head": model.backbone.head,
        "control": control or (None if model.about.trained else "untrained"),
        "seed": seed,
        "made_by": made_by(model),
    }
    writer = TraceWriter(path, meta, dict(sorted(shapes.items(), key=lambda item: -np.dtype(item[1][0]).itemsize)))
    writer.write("starts", 0, np.cumsum([0, *lengths]))
    writer.write("ids", 0, ids)
    writer.write("token_ends", 0, np.cumsum([len(r) for r in raw]))
    writer.write("token_text", 0, np.frombuffer(text, np.uint8))
    writer.write("asked", 0, np.full((S + 1, C), np.nan))
    writer.write("loss", 0, np.full(len(ids), np.nan))
    return writer


def _write_summary(writer: TraceWriter, recorder: Recorder, i: int, start: int) -> None:
    writer.write("mass", i, recorder.stack("mass"))
    writer.write("answer_read", i, recorder.stack("answer_read"))
    writer.write("token_write", start, recorder.stack("write").mean((0, 1, 2)))  # (L, H, M, T) -> (T,)
    writer.write("token_read", start, recorder.stack("read").sum(-1).mean((0, 1)))  # (L, H, T, M) -> (T,)


def _write_maps(writer: TraceWriter, recorder: Recorder, i: int) -> None:
    for name, axis in (("read", 2), ("write", 3)):
        maps = recorder.stack(name)
        room = writer.shapes[name][1][axis + 1] - maps.shape[axis]
        writer.write(name, i, np.pad(maps, [(0, room if a == axis else 0) for a in range(4)]))


def _token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    loss = F.cross_entropy(logits.float(), labels, ignore_index=IGNORE, reduction="none")
    return loss.masked_fill(labels == IGNORE, torch.nan)


def _ask(writer: TraceWriter, model: Model, trace: Trace, ids: np.ndarray, spans: Sequence[Span]) -> None:
    """Ask the question of every state of the run, on copies, many states at once."""
    question = next((s for s in spans if s.kind == "question"), None)
    if question is None or model.backbone.head != "classify":
        return
    words = torch.as_tensor(ids[question.start : question.end], device=model.device)[None]
    memory = trace.arrays["memory"]
    for i in range(0, len(memory), ASK_AT_ONCE):
        state = torch.tensor(np.array(memory[i : i + ASK_AT_ONCE]), device=model.device)
        output = model(words.expand(len(state), -1), state=state.to(next(model.parameters()).dtype))
        writer.write("asked", i, _numpy(output.logits.float().softmax(-1)))


def _numpy(tensor: Tensor) -> np.ndarray:
    """To numpy; bfloat16 as the float32 it fits in."""
    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return tensor.cpu().numpy()
