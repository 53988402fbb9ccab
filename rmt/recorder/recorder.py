"""Recording a run segment by segment, and replaying any segment of it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rmt.backbone import Layout
from rmt.errors import InputError
from rmt.memory.base import State, Step, map_state
from rmt.model import Model
from rmt.model.cuda_graph import fixed_step, observed
from rmt.model.unroll import unroll
from rmt.recorder.batches import join, plan
from rmt.recorder.run import Recording, begin, fingerprint, keep, reached, stored, to_numpy
from rmt.recorder.watcher import Recorder
from rmt.tasks.asking import Asking
from rmt.tasks.base import Span
from rmt.text.segments import Segment
from rmt.trace import SegmentRecord, Trace
from rmt.trace.file import DETAILS


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
    asking: Sequence[Asking] = (),
    loss: bool = True,
) -> Trace:
    """Run a model over a document and keep what its memory did.

    text: a string, or token ids (n_tokens,). detail: memory, summary or thin (see `rmt.trace`). out: where to
    write, a temporary file by default; where it holds this very recording, begun and not finished, that goes on
    to the same end. progress(done, n_segments) is called after each segment.
    spans and label: where facts and question stand, and the right class, as a task's example gives them; in a
    string they are looked for. asking: what is put to every state, with what is right when (`rmt.tasks.asking`); by
    default what the model's task offers, held against the text. control "reset" puts the initial memory back before
    every segment.
    loss: score a language model at every token; without it the head, most of a small model's work, never runs.
    Raises InputError for a text that cannot be recorded.
    """
    known = {"out": out, "spans": spans, "label": label, "seed": seed, "asking": asking}
    return record_all(model, [text], known=[known], detail=detail, progress=progress, control=control, loss=loss)[0]


@torch.inference_mode()
def record_all(
    model: Model,
    texts: Sequence[str | Sequence[int] | np.ndarray | Tensor],
    *,
    known: Sequence[dict] | None = None,
    detail: str = "summary",
    progress: Callable[[int, int], None] | None = None,
    control: str | None = None,
    loss: bool = True,
) -> list[Trace]:
    """Run a model over several documents at once, as far as their segments are as long, and keep of each its trace.

    known: for each what `record` takes of one text: out, spans, label, seed, asking; the rest is as there. progress
    counts the segments of all. Products of a batch may round differently: states are those of a run alone to about 1e-5
    in float32 and 1e-12 in float64, and so is a replay, which is of one document.
    """
    if detail not in DETAILS:
        raise InputError(f"There is no level of detail {detail!r}; choose {', '.join(DETAILS)}.")
    if control not in (None, "reset"):
        raise InputError(f"There is no control {control!r} for a recording; choose reset.")
    with ExitStack() as stack:
        runs = []
        for text, about in zip(texts, known or [{}] * len(texts), strict=True):
            runs.append(begin(model, text, detail, control, loss, **about))
            stack.callback(runs[-1].writer.close)
        done, total = sum(run.writer.done for run in runs), sum(len(run.segments) for run in runs)
        for rows, i, values in _steps(model, runs, detail, control):
            for b, row in enumerate(rows):
                keep(model, runs[row], i, {name: value[b] for name, value in values.items()})
                done += 1
                if progress:
                    progress(done, total)
            del values  # nothing of this segment but its state is alive beside the next
    return [Trace.open(run.writer.path, keep=run.keep) for run in runs]


def _steps(
    model: Model, runs: list[Recording], detail: str, control: str | None
) -> Iterator[tuple[list[int], int, dict[str, np.ndarray]]]:
    """Read what is missing of the recordings; yield (rows, segment, what to keep of it by name, (B, ...))."""
    cell, watcher = model.cell, model.backbone if detail == "memory" else Recorder(model.backbone)
    states, observe = [reached(model, run) for run in runs], observer(model, watcher, detail)
    lengths = [[segment.ids.shape[1] for segment in run.segments] for run in runs]
    for rows, first, n in plan(lengths, [run.writer.done for run in runs]):
        segments = join([runs[row].segments[first : first + n] for row in rows])
        state = map_state(lambda *parts: torch.cat(parts), *(states[row] for row in rows))
        reset = cell.initial(len(rows)) if control == "reset" else None
        last = first + 1 == len(lengths[rows[0]])
        step = None if last else fixed_step(cell, watcher, segments, state, reset)
        if step:
            for i, values in enumerate(observed(step, segments, observe), first):
                yield rows, i, values
            state = step.state
        else:
            before = None if reset is None else (lambda i, s, reset=reset: reset)
            for i, seen in enumerate(unroll(cell, watcher, segments, state=state, before=before), first):
                yield rows, i, {name: to_numpy(value) for name, value in observe(*seen, last=last).items()}
                state = seen[2]
        for b, row in enumerate(rows):
            states[row] = map_state(lambda t, b=b: t[b : b + 1].contiguous(), state)


def observer(model: Model, watcher, detail: str) -> Callable[..., dict[str, Tensor]]:
    """A function from what `unroll` yields to what a trace keeps of it, by name, (B, ...)."""

    def observe(segment: Segment, step: Step, state: State, *, last: bool = False) -> dict[str, Tensor]:
        values = {} if detail == "memory" else watcher.tensors(detail)
        slots = model.cell.slots(state)
        values["memory"] = slots.float() if slots.dtype == torch.bfloat16 else slots
        if segment.labels is None:
            values["loss"] = torch.full(segment.ids.shape, torch.nan, device=segment.ids.device)
        else:  # of a document the last token alone has nothing to predict
            values["loss"] = step.output.token_loss(segment.labels, everywhere=not last)
        if last and model.backbone.head == "classify" and model.about.answers != "score":
            values["probabilities"] = model.shares(step.logits)
        return values

    return observe


@torch.inference_mode()
def replay(model: Model, trace: Trace, segment: int) -> SegmentRecord:
    """Run one segment again from its stored memory, with everything: attention (L, H, N, N), read, write, logits,
    and where memory stood (layout).

    Equal to the recorded run bit for bit on the same machine. logits (T, V) of a language model, (C,) of a
    classifier, None where the model has no head. Raises InputError where the model is another one.
    """
    if fingerprint(model) != trace.meta["made_by"]["fingerprint"]:
        raise InputError(
            f"This trace was made with {trace.meta['made_by']['checkpoint']} and other weights; replay it with those."
        )
    if (
        isinstance(segment, bool)
        or not isinstance(segment, int | np.integer)
        or not -trace.done <= segment < trace.done
    ):
        raise InputError(
            f"The run has {trace.done} segments, 0 to {trace.done - 1}; there is no {ascii(segment)[:40]}."
        )
    recorded = trace.segments[segment]
    ids = torch.as_tensor(np.array(recorded.ids), device=model.device).long()[None]
    recorder = Recorder(model.backbone, full=True)
    s = 0 if trace.meta["control"] == "reset" else recorded.index
    state = stored(model, trace.arrays["memory"][0 if model.cell.past else s : s + 1])
    step, state = model.cell.step(recorder, Segment(ids), state)
    names = ("read", "write", "mass", "answer_read", "attention")
    return replace(
        recorded,
        memory=to_numpy(model.cell.slots(state)[0]),
        logits=None if model.backbone.head == "none" else to_numpy(step.logits[0]),
        layout=_places(step.layout),
        **{name: to_numpy(getattr(recorder.all, name)[:, 0]) for name in names},
    )


def _places(layout: Layout) -> dict[str, tuple[int, int]]:
    """A layout as numbers; what is not there has no length."""
    parts = {"tokens": layout.tokens, "read": layout.read, "write": layout.write}
    return {name: (part.start, part.stop) if part else (0, 0) for name, part in parts.items()}
