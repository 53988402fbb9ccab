"""A what-if as a recorded run of its own, to be looked at beside the one it was made from."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rmt.changes import Change, edits, write
from rmt.facts import find_facts
from rmt.intervene import Progress, Reading, intervene, recalled
from rmt.model import Model
from rmt.recorder import Recorder, observer
from rmt.recording import Run, begin, keep, to_numpy
from rmt.rewrite import carried, edited
from rmt.tasks.base import Span
from rmt.trace import Trace

WHOLE = ("memory", "mass", "answer_read", "read", "write", "token_write", "token_read", "loss")


@torch.inference_mode()
def retell(
    model: Model,
    trace: Trace,
    changes: Sequence[Change],
    *,
    donors: Mapping[str, Reading] | None = None,
    means: Tensor | None = None,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Trace:
    """Record what a run would have been with these changes, at the detail of the run itself.

    Segments before the first change are copied, the others read; `rmt.intervene.intervene` says what may be asked.
    The model must be cut as the run was: its segment_length is that of the run for as long as this takes.
    """
    reading, ids = recalled(model, trace), np.array(trace.arrays["ids"], dtype=np.int64)
    spans, label = trace.spans, trace.meta["label"]
    if edits(changes):
        ids, origin = edited(model, ids, edits(changes))
        spans = carried(spans, origin)
    usual, model.segment_length = model.segment_length, reading.segment_length
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
            changes=write(changes),
        )
    finally:
        model.segment_length = usual
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


def _copy(model: Model, run: Run, trace: Trace, n: int) -> None:
    """The first n segments as the run has them."""
    for record in trace.segments[:n]:
        values = {name: np.array(value) for name in WHOLE if (value := getattr(record, name)) is not None}
        if record.index == trace.n_segments - 1 and trace.classes:
            values["probabilities"] = np.array(trace.arrays["probabilities"])
        keep(model, run, record.index, values)


def _label(model: Model, ids: np.ndarray, spans: Sequence[dict]) -> int | None:
    """The right class in an edited document, where its question can be found among what its facts answer."""
    question = next((span for span in spans if span["kind"] == "question"), None)
    if question is None or model.tokenizer is None:
        return None
    texts = [model.tokenizer.decode([int(i)], skip_special_tokens=False) for i in ids]
    asked = "".join(texts[question["start"] : question["end"]]).strip()
    answers = [fact.answer for fact in find_facts(texts, model.about.classes) if fact.question == asked]
    return answers[-1] if answers else None
