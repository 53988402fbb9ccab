"""Record runs segment by segment, and replay any segment of one."""

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
    """Run a model over a document and record what its memory does.

    text: a string, or token ids (n_tokens,). detail: memory, summary or thin (see `rmt.trace`); a recurrent net has no
    attention, so of it memory is recorded whatever is asked. out: the file to write,
    by default a temporary one; an unfinished recording of the same run there is resumed. progress(done, n_segments) is
    called after each segment.
    spans and label: of facts and question, and the right class, as a task's example has them; in a string spans are
    looked for. asking: the questions for every state with their right answers (`rmt.tasks.asking`); by default those
    that the model's task offers, with answers from the text. control "reset" puts the initial memory back before every
    segment.
    loss: score a language model at every token; without it the head, most of a small model's work, does not run.
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
    """Record several documents, in batches where their segments have the same length, a trace each.

    known: for each text the arguments of `record` about it: out, spans, label, seed, asking; the others are as there.
    progress counts the segments of all. Products of a batch may round differently: states equal those of a run on its
    own to about 1e-5 in float32 and 1e-12 in float64, and so does a replay, which is of one document.
    """
    if detail not in DETAILS:
        raise InputError(f"There is no level of detail {detail!r}; choose {', '.join(DETAILS)}.")
    if control not in (None, "reset"):
        raise InputError(f"There is no control {control!r} for a recording; choose reset.")
    if model.backbone.recurrent:
        detail = "memory"
    with ExitStack() as stack:
        runs = []
        for text, arguments in zip(texts, known or [{}] * len(texts), strict=True):
            runs.append(begin(model, text, detail, control, loss, **arguments))
            stack.callback(runs[-1].writer.close)
        done, total = sum(run.writer.done for run in runs), sum(len(run.segments) for run in runs)
        for rows, i, values in _steps(model, runs, detail, control):
            for b, row in enumerate(rows):
                keep(model, runs[row], i, {name: value[b] for name, value in values.items()})
                done += 1
                if progress:
                    progress(done, total)
            del values  # free all of this segment but its state before the next
    return [Trace.open(run.writer.path, keep=run.keep) for run in runs]


def _steps(
    model: Model, runs: list[Recording], detail: str, control: str | None
) -> Iterator[tuple[list[int], int, dict[str, np.ndarray]]]:
    """Read the missing segments of recordings; yield (rows, segment index, {name: values (B, ...)} to write)."""
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
    """Make a function from the items of `unroll` to the values that a trace keeps, {name: (B, ...)}."""

    def observe(segment: Segment, step: Step, state: State, *, last: bool = False) -> dict[str, Tensor]:
        values = {} if detail == "memory" else watcher.tensors(detail)
        slots = model.cell.slots(state)
        values["memory"] = slots.float() if slots.dtype == torch.bfloat16 else slots
        if segment.labels is None:
            values["loss"] = torch.full(segment.ids.shape, torch.nan, device=segment.ids.device)
        else:  # only the last token of a document has nothing to predict
            values["loss"] = step.output.token_loss(segment.labels, everywhere=not last)
        if last and model.backbone.head == "classify" and model.about.answers != "score":
            values["probabilities"] = model.shares(step.logits)
        return values

    return observe


@torch.inference_mode()
def replay(model: Model, trace: Trace, segment: int) -> SegmentRecord:
    """Run one segment again from its stored memory, with attention (L, H, N, N), read, write, logits and layout.

    Equal to the recorded run bit for bit on the same machine. logits: (T, V) of a language model, (C,) of a classifier,
    None where the model has no head. A recurrent net has no attention to return. Raises InputError where the model is
    not the one that was recorded.
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
    recorder = model.backbone if model.backbone.recurrent else Recorder(model.backbone, full=True)
    s = 0 if trace.meta["control"] == "reset" else recorded.index
    state = stored(model, trace.arrays["memory"][0 if model.cell.past else s : s + 1])
    blocks = model.cell.blocks(state)
    step, state = model.cell.step(recorder, Segment(ids), state)
    names = ("read", "write", "mass", "answer_read", "attention")
    return replace(
        recorded,
        memory=to_numpy(model.cell.slots(state)[0]),
        logits=None if model.backbone.head == "none" else to_numpy(step.logits[0]),
        layout=_places(step.layout),
        blocks=None if blocks is None else to_numpy(blocks[0]),
        **({} if model.backbone.recurrent else {name: to_numpy(getattr(recorder.all, name)[:, 0]) for name in names}),
    )


def _places(layout: Layout) -> dict[str, tuple[int, int]]:
    """A layout as pairs (start, stop); a missing part is (0, 0)."""
    parts = {"tokens": layout.tokens, "read": layout.read, "write": layout.write}
    return {name: (part.start, part.stop) if part else (0, 0) for name, part in parts.items()}
