"""One recording: open its trace, write segments into it, ask the question of every state, and resume it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.model.ask import ask_state, states_at_once
from rmt.model.provenance import made_by
from rmt.recorder.document import read_document
from rmt.tasks import TASKS
from rmt.tasks.asking import Asking, of_text
from rmt.tasks.base import Span, Task
from rmt.text.segments import Segment, cuts
from rmt.text.tokenizer import encode
from rmt.trace.writer import TraceWriter, temporary


@dataclass(frozen=True)
class Recording:
    """A document that is being recorded: ids (1, Tn), its segments (1, T) and their first tokens."""

    writer: TraceWriter
    ids: Tensor
    segments: list[Segment]
    starts: np.ndarray
    spans: Sequence[Span]
    asking: Sequence[Asking]
    keep: object  # the owner of a temporary file, which lives as long as this


def begin(
    model, text, detail, control, loss, *, out=None, spans=(), label=None, seed=None, asking=(), within=None,
    changes="", blank=None,
) -> Recording:  # fmt: skip
    """Begin or resume the recording of a document: open its trace file, new or with the segments it has.

    asking: what is put to every state, by default what the model's task offers. within: tokens start to end in which
    the text says what is right; by default where spans stand, or anywhere in a text that came without them.
    """
    document = read_document(model, text)
    if not asking and (task := _offering(model)):
        if within is None and spans:
            within = [(span.start, span.end) for span in spans if span.kind == "fact"]
        asking = of_text(task, document.text, document.ends, within)
    spans = list(spans) or document.spans
    path, keep = (Path(out), None) if out else temporary()
    about = {"spans": spans, "label": label, "control": control, "detail": detail, "seed": seed, "asking": asking}
    about |= {"changes": changes, "blank": blank}
    writer = _open(path, model, document, **about)
    ids = torch.as_tensor(document.ids, device=model.device)[None]
    segments = model.split(ids, labels=ids if loss and model.backbone.head == "lm" else None)
    return Recording(writer, ids, segments, writer.read("starts", 0, len(segments)), spans, asking, keep)


def keep(model: Model, run: Recording, i: int, values: dict[str, np.ndarray]) -> None:
    """Write segment i into the trace; with the last one also a classifier's answer at the end and at every moment.

    A classifier whose classes have no names has no room for answers in its trace, so none are written.
    """
    run.writer.segment(i, int(run.starts[i]), values)
    if "probabilities" in values and model.about.classes:
        run.writer.write("probabilities", 0, values["probabilities"])
        _ask(model, run)
    run.writer.finish(i + 1)


def _offering(model: Model) -> Task | None:
    """The task whose questions can be put to a model at any moment."""
    task = TASKS.get(model.about.task)
    answers = model.backbone.head == "classify" and model.tokenizer is not None and model.about.answers == "one"
    return task if task and task.asks and answers and tuple(model.about.classes) == task.classes else None


def _ask(model: Model, run: Recording) -> None:
    """Ask the question of the text, and those that can be asked at any moment, of every state of the run."""
    question, writer = next((s for s in run.spans if s.kind == "question"), None), run.writer
    if question is not None:
        for i, shares in _answers(model, run, run.ids[:, question.start : question.end]):
            writer.write("asked", i, shares)
    each = [torch.tensor([encode(model.tokenizer, asking.text)], device=model.device) for asking in run.asking]
    if each:
        together = zip(*(_answers(model, run, words) for words in each), strict=True)
        for answers in together:
            writer.write("asked_each", answers[0][0], np.stack([shares for _, shares in answers], 1))


def _answers(model: Model, run: Recording, words: Tensor) -> Iterator[tuple[int, np.ndarray]]:
    """What a model answers to a question of ids (1, T), on copies of every state: (first state, (n, C)), n at once."""
    writer, past = run.writer, model.cell.past
    n_states, at_once = writer.arrays["memory"][1][0], states_at_once(model)
    for i in range(0, n_states, at_once):
        memory = writer.read("memory", 0, i + 1) if past else writer.read("memory", i, min(i + at_once, n_states))
        question_ids = words.expand(1 if past else len(memory), -1)
        yield i, to_numpy(ask_state(model, stored(model, memory), question_ids))


def reached(model: Model, run: Recording) -> State:
    """The state after the last recorded segment."""
    done, past = run.writer.done, model.cell.past
    return stored(model, run.writer.read("memory", 0 if past else done, done + 1)) if done else model.cell.initial(1)


def fingerprint(model: Model) -> str:
    """The fingerprint of a model's weights: its checkpoint's, or a hash of the weights of one made in memory."""
    if model.about.fingerprint:
        return model.about.fingerprint
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:16]


def stored(model: Model, memory: np.ndarray) -> State:
    """Restore a state from stored slots (1, M, D), or (s + 1, M, D) where a cell keeps its past."""
    slots = torch.tensor(np.array(memory), device=model.device, dtype=next(model.parameters()).dtype)
    state = model.cell.restore(slots[None] if model.cell.past else slots)
    return map_state(Tensor.contiguous, state)  # matrix products of a view may differ in the last bit


def _open(path, model, document, *, spans, label, control, detail, seed, asking, changes, blank) -> TraceWriter:
    """Open the trace file of this run, new or with the segments it has."""
    lengths = [end - start for start, end in cuts(len(document.ids), model.segment_length, model.alignment)]
    cell, initial = model.cell, model.cell.initial(1)
    slots = cell.slots(initial)
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
        **({"answers": model.about.answers} if model.about.answers != "one" else {}),
        "control": control or (None if model.about.trained else "untrained"),
        "seed": seed,
        **({"questions": [{"name": one.name, "text": one.text} for one in asking]} if asking else {}),
        **({"unknown": document.unknown} if document.unknown else {}),
        **({"changes": changes} if changes else {}),  # of a what-if, see rmt.intervene.changes
        **({"read_blocks": True} if cell.blocks(initial) is not None else {}),
        **({"blank": blank} if blank else {}),  # of a what-if, see rmt.causes.blank_answer
        "made_by": {**made_by(model), "fingerprint": fingerprint(model)},
    }
    n_read, n_write = cell.n_read, cell.n_write
    if not model.backbone.causal:  # one block is read, and its first n_write positions are written
        n_read = max(n_read, n_write)
    sizes = {
        **{"S": len(lengths), "Tn": len(document.ids), "T": max(lengths), "bytes": len(document.text)},
        **{"M": slots.shape[1], "D": slots.shape[2], "R": n_read, "W": n_write},
        **{"L": model.backbone.n_layers, "H": model.backbone.n_heads, "C": len(model.about.classes), "Q": len(asking)},
    }
    starts = np.cumsum([0, *lengths])
    fixed = {
        "starts": starts,
        "token_ends": document.ends,
        "ids": document.ids,
        "token_text": np.frombuffer(document.text, np.uint8),
        "memory": to_numpy(slots),
        **({"truths": np.stack([one.truths(starts) for one in asking], 1)} if asking else {}),
    }
    return TraceWriter(path, meta, sizes, fixed, wide=slots.dtype == torch.float64)


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Convert a tensor to numpy; bfloat16 becomes float32."""
    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return tensor.cpu().numpy()
