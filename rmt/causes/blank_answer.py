"""The blank answer: the answer that a model gives when its memory is cut or ablated, whatever its text said."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from rmt.causes.samples import RUNS, ReadFresh, baseline, read_fresh
from rmt.errors import InputError
from rmt.intervene import Progress, Reading, intervene
from rmt.intervene.changes import Ablate, Change, Transplant, edits, timed
from rmt.memory.base import map_state
from rmt.model import Model

MOST_SEGMENTS = 64  # in longer runs no blank answer is computed


@torch.inference_mode()
def blank(
    model: Model,
    changes: Sequence[Change],
    n_segments: int,
    *,
    donors: Mapping[str, Reading] | None = None,
    means: torch.Tensor | None = None,
    runs: ReadFresh = read_fresh,
    progress: Progress | None = None,
) -> dict | None:
    """Make the same changes of memory and attention in fresh runs of the model's task, each with its own facts.

    {"runs", "unchanged" and "right": shares answered right before and after the changes, "answer": the most frequent
    class after, "share": its share}. A cut that removes the facts leaves "right" at chance, and "answer" is the model's
    default without facts, the control for the run that was changed. None for changes of text, which fit one run only,
    for long runs, and where the model has no task of this program. runs: reads the fresh runs, see `FreshRuns`.
    progress(done, total) counts segments, of the runs as they are and with the changes.
    """
    acting = timed(changes)
    if edits(changes) or not acting or n_segments > MOST_SEGMENTS or model.backbone.head != "classify":
        return None
    try:
        fresh = runs(model, n_segments, progress=_counted(progress, 0, n_segments))
    except InputError:  # no task, or no text for it
        return None
    if means is None and any(isinstance(change, Ablate) and change.to == "mean" for change in acting):
        means = baseline(model, n_segments, runs=runs)[1]
    wanted = {change.donor for change in acting if isinstance(change, Transplant)}
    others = {name: _as_many(donor, RUNS) for name, donor in (donors or {}).items() if name in wanted}
    update = _counted(progress, n_segments, n_segments)
    changed = intervene(model, fresh.reading, acting, donors=others, means=means, progress=update)
    before, after = (run.probabilities.argmax(-1).cpu().numpy() for run in (fresh.reading, changed))
    labels = fresh.labels
    counts = np.bincount(after, minlength=len(model.about.classes))
    return {
        "runs": RUNS,
        "unchanged": float((before == labels).mean()),
        "right": float((after == labels).mean()),
        "answer": model.about.classes[int(counts.argmax())],
        "share": float(counts.max() / RUNS),
    }


def _counted(progress: Progress | None, before: int, of: int) -> Progress | None:
    """Progress of one of the two readings, as part of both: `before` segments of 2 * `of` are read already."""
    return progress and (lambda done, total: progress(before + of - total + done, 2 * of))


def _as_many(donor: Reading, runs: int) -> Reading:
    """Repeat one donor run's memory for so many receivers."""
    states = tuple(map_state(lambda t: t.expand(runs, *t.shape[1:]), state) for state in donor.states)
    return Reading(donor.ids, donor.segments, states, donor.segment_length)
