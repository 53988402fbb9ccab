"""The blank answer: the answer that a model gives when its memory is cut or ablated, whatever its text said."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from rmt.causes.samples import baseline, fresh
from rmt.errors import InputError
from rmt.intervene import Reading, intervene, read
from rmt.intervene.changes import Ablate, Change, Transplant, edits, timed
from rmt.memory.base import map_state
from rmt.model import Model

RUNS = 32  # fresh runs, each with its own facts
MOST_SEGMENTS = 64  # in longer runs no blank answer is computed


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
    """Make the same changes of memory and attention in fresh runs of the model's task, each with its own facts.

    {"runs", "unchanged" and "right": shares answered right before and after the changes, "answer": the most frequent
    class after, "share": its share}. A cut that removes the facts leaves "right" at chance, and "answer" is the model's
    default without facts, the control for the run that was changed. None for changes of text, which fit one run only,
    for long runs, and where the model has no task of this program.
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
    changed = intervene(model, reading, acting, donors=others, means=means)
    before, after = (run.probabilities.argmax(-1).cpu().numpy() for run in (reading, changed))
    counts = np.bincount(after, minlength=len(model.about.classes))
    return {
        "runs": runs,
        "unchanged": float((before == labels).mean()),
        "right": float((after == labels).mean()),
        "answer": model.about.classes[int(counts.argmax())],
        "share": float(counts.max() / runs),
    }


def _as_many(donor: Reading, runs: int) -> Reading:
    """Repeat one donor run's memory for so many receivers."""
    states = tuple(map_state(lambda t: t.expand(runs, *t.shape[1:]), state) for state in donor.states)
    return Reading(donor.ids, donor.segments, states, donor.segment_length)
