"""Record a what-if as a trace of its own, to compare with the run it was made from."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rmt.causes.blank_answer import blank
from rmt.causes.facts import find_facts
from rmt.causes.samples import MOST_MEANS, ReadFresh, read_fresh
from rmt.causes.samples import usual as usual_slots
from rmt.intervene import Progress, intervene, recalled
from rmt.intervene.changes import Ablate, Change, edits, parse, write
from rmt.intervene.rewrite import carried, edited
from rmt.model import Model
from rmt.recorder import Recorder
from rmt.recorder.recorder import observer
from rmt.recorder.run import Recording, begin, keep, to_numpy
from rmt.tasks.asking import Asking
from rmt.tasks.base import Span
from rmt.trace import Trace

WHOLE = ("memory", "mass", "answer_read", "read", "write", "token_write", "token_read", "loss")


@torch.inference_mode()
def what_if(
    model: Model,
    trace: Trace,
    changes: Sequence[Change] | str,
    *,
    donors: Mapping[str, Trace] | None = None,
    means: Tensor | None = None,
    out: str | Path | None = None,
    blank_too: bool = True,
    runs: ReadFresh = read_fresh,
    progress: Progress | None = None,
) -> Trace:
    """Record a run again with these changes, at the run's own level of detail.

    changes: of `rmt.intervene.changes`, or their text, such as "reset@6". Segments before the first change are copied,
    the others are read again; `rmt.intervene.intervene` says which changes are possible. donors: runs of this model
    that transplants name. means: of slots, by default over fresh runs of the model's task, where an ablation needs
    them. The trace's meta has under "blank" the result of the same changes in runs with other facts
    (`rmt.causes.blank_answer`), where that can be computed; not without blank_too: it takes many times as long as the
    rest. runs: reads fresh runs of the task, see `rmt.causes.samples.FreshRuns`. progress(done, total) counts segments.
    """
    changes = parse(changes) if isinstance(changes, str) else changes
    donors = {name: recalled(model, donor) for name, donor in (donors or {}).items()}
    begun = progress and (lambda *_: progress(0, trace.n_segments))  # nothing of the run itself is read yet
    if means is None and any(isinstance(change, Ablate) and change.to == "mean" for change in changes):
        means = usual_slots(model, min(trace.n_segments, MOST_MEANS), runs=runs, progress=begun)
    reading, ids = recalled(model, trace), np.array(trace.arrays["ids"], dtype=np.int64)
    spans, label, within, asking = trace.spans, trace.meta["label"], None, _asking(trace)
    if edits(changes):
        before = ids
        ids, origin = edited(model, ids, edits(changes))
        spans, asking = carried(spans, origin), ()
        within = [(span["start"], span["end"]) for span in spans if span["kind"] == "fact"] + _new(ids, before, origin)
    others = None
    if blank_too and not reading.standing:
        given = {"donors": donors, "means": means, "runs": runs, "progress": begun}
        others = blank(model, changes, trace.n_segments, **given)
    length, model.segment_length = model.segment_length, reading.segment_length  # a trace is cut as its model is
    try:
        run = begin(
            model,
            ids,
            trace.meta["detail"],
            trace.meta["control"] if trace.meta["control"] == "reset" else None,
            bool(np.isfinite(trace.arrays["loss"]).any()),
            out=out,
            spans=[Span(**span) for span in spans],
            label=_label(model, ids, spans) if edits(changes) else label,
            seed=trace.meta["seed"],
            asking=asking,
            within=within,
            changes=write(changes),
            blank=others,
        )
    finally:
        model.segment_length = length
    with closing(run.writer):
        recorders = []

        def around(backbone):
            recorders.append(backbone if trace.meta["detail"] == "memory" else Recorder(backbone))
            return recorders[0]

        def seen(i: int, segment, step, state) -> None:
            if not i or not run.writer.done:
                _copy(model, run, trace, i)
            values = observer(model, recorders[0], trace.meta["detail"])(segment, step, state, last=i + 1 == n)
            keep(model, run, i, {name: to_numpy(value[0]) for name, value in values.items()})

        n = len(run.segments)
        intervene(model, reading, changes, donors=donors, means=means, around=around, seen=seen, progress=progress)
        if not run.writer.done:  # nothing was changed
            _copy(model, run, trace, n)
    return Trace.open(run.writer.path, keep=run.keep)


def _copy(model: Model, run: Recording, trace: Trace, n: int) -> None:
    """Copy the first n segments of a trace into the recording."""
    for record in trace.segments[:n]:
        values = {name: np.array(value) for name in WHOLE if (value := getattr(record, name)) is not None}
        if record.index == trace.n_segments - 1 and trace.classes:
            values["probabilities"] = np.array(trace.arrays["probabilities"])
        keep(model, run, record.index, values)


def _asking(trace: Trace) -> list[Asking]:
    """What was put to every state of a run, with what was right when."""
    starts = trace.arrays["starts"].tolist()
    right = [[None if c < 0 else int(c) for c in row] for row in trace.arrays["truths"].T] if trace.questions else []
    return [
        Asking(question["name"], question["text"], tuple(zip(starts, row, strict=True)))
        for question, row in zip(trace.questions, right, strict=True)
    ]


def _new(ids: np.ndarray, before: np.ndarray, origin: np.ndarray) -> list[tuple[int, int]]:
    """Where an edited document has other words than before: tokens start to end."""
    again = np.concatenate([[False], origin[1:] == origin[:-1]])
    there = np.concatenate([[0], (origin < 0) | again | (ids != before[np.maximum(origin, 0)]), [0]]).astype(int)
    starts, ends = np.flatnonzero(np.diff(there) > 0), np.flatnonzero(np.diff(there) < 0)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _label(model: Model, ids: np.ndarray, spans: Sequence[dict]) -> int | None:
    """The right class of an edited document, from its facts; None where none of them answers its question."""
    question = next((span for span in spans if span["kind"] == "question"), None)
    if question is None or model.tokenizer is None:
        return None
    texts = [model.tokenizer.decode([int(i)], skip_special_tokens=False) for i in ids]
    question_text = "".join(texts[question["start"] : question["end"]]).strip()
    facts = find_facts(texts, model.about.classes, model.about.task)
    answers = [fact.answer for fact in facts if fact.question == question_text]
    return answers[-1] if answers else None


def what_differs(before: Trace, after: Trace) -> dict:
    """Compare two runs: the answers (before, P, after, P) or None, and the first segment whose memory differs.

    "blank": the result of the same changes in runs with other facts, or None; see `rmt.causes.blank_answer`.
    """
    shared = min(before.done, after.done) + 1
    same = [np.array_equal(a, b) for a, b in zip(before.memory[:shared], after.memory[:shared], strict=True)]
    answer = None
    if before.probabilities and after.probabilities:
        answer = tuple(part for run in (before, after) for part in (run.answer, run.probabilities[run.answer]))
    first = same.index(False) - 1 if False in same else None
    return {"answer": answer, "first": first, "blank": after.meta.get("blank")}
