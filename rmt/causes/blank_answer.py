"""The blank answer: what a model says whose memory is cut or ablated, whatever its text told it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from rmt.causes.samples import baseline, fresh
from rmt.errors import InputError
from rmt.intervene import Reading, intervene, read
from rmt.intervene.changes import Ablate, Change, Transplant, edits, timed
from rmt.memory.base import map_state
from rmt.model import Model

RUNS = 32  # with facts of their own
MOST_SEGMENTS = 64  # of a run that so many others are read beside


@torch.inference_mode()
def blank(
    model: Model,
    changes: Sequence[Change],
    n_segments: int,
    *,
    donors: Mapping[str, Reading] | None = None,
    means: torch.Tensor | None = None,
    runs: int = RUNS,
    seed: int = 0,
) -> dict | None:
    """What the same changes of memory and attention make of fresh runs of the model's task, each with its own facts.

    {"runs", "unchanged" and "right": shares answered right before and after, "answer": the class that most are
    answered with after, "share": how many}. A cut that takes the facts away leaves "right" at chance, and its "answer"
    is what the model says for want of a fact; the run that was changed is to be seen beside it. None for changes of
    text, which are made in one run only, for long runs, and where the model has no task of ours.
    """
    acting = timed(changes)
    if edits(changes) or not acting or n_segments > MOST_SEGMENTS or model.backbone.head != "classify":
        return None
    try:
        ids, labels = fresh(model, n_segments, samples=runs, seed=seed)
    except InputError:  # no task, or no text for it
        return None
    reading = read(model, ids)
    if means is None and any(isinstance(change, Ablate) and change.to == "mean" for change in acting):
        means = baseline(model, n_segments)[1]
    wanted = {change.donor for change in acting if isinstance(change, Transplant)}
    others = {name: _as_many(donor, runs) for name, donor in (donors or {}).items() if name in wanted}
    made = intervene(model, reading, acting, donors=others, means=means)
    before, after = (run.probabilities.argmax(-1).cpu().numpy() for run in (reading, made))
    counts = np.bincount(after, minlength=len(model.about.classes))
    return {
        "runs": runs,
        "unchanged": float((before == labels).mean()),
        "right": float((after == labels).mean()),
        "answer": model.about.classes[int(counts.argmax())],
        "share": float(counts.max() / runs),
    }


def _as_many(donor: Reading, runs: int) -> Reading:
    """One run's memory for so many receivers."""
    states = tuple(map_state(lambda t: t.expand(runs, *t.shape[1:]), state) for state in donor.states)
    return Reading(donor.ids, donor.segments, states, donor.segment_length)
