"""Statistics of facts over many runs, as JSON values: survival, capture, retention, interference."""

from collections.abc import Sequence

import numpy as np
import torch

from rmt.causes.facts import Lives, ablations, ask_each, facts_of, lives
from rmt.causes.samples import INTERVENTION, MOST_STORIES, sampler_of, told
from rmt.intervene import RESET, Progress, read
from rmt.model import Model
from rmt.model.processes import my_share, together
from rmt.model.provenance import made_by
from rmt.tasks.base import Story, Task
from rmt.tasks.interval import wilson
from rmt.tasks.questions import question_about

BAND = (0.1, 0.9)  # quantiles over facts
KEPT = (1, 10, 50)  # segments after which retention is reported
SECOND = ("another", "same")  # a second fact with a question of its own, or a new answer to the first one's
DIGITS = 4


def report(
    model: Model,
    *,
    samples: int = 200,
    segments: int = 16,
    seed: int = 0,
    reset: bool = False,
    progress: Progress | None = None,
) -> dict:
    """Measure all that the Facts page shows of a checkpoint, as JSON values; each table's function explains it."""
    records = lives(model, samples=samples, segments=segments, seed=seed, reset=reset, progress=progress)
    second = [(k, interference(model, k, samples=min(samples, 100), seed=seed, reset=reset)) for k in SECOND]
    return {
        "made_by": made_by(model),
        "task": model.about.task,
        "control": "reset" if reset else "none" if model.about.trained else "untrained",
        "samples": samples,
        "facts": len(records.facts),
        "seed": seed,
        "survival": survival(records),
        "capture": share(records.right[records.lasting[:, 1], 1]),
        "retention": retention(records),
        "slots": _slots(model, records),
        "interference": dict(second) if all(curves for _, curves in second) else {},
    }


def _slots(model: Model, records: Lives) -> dict:
    """The ablations of slots, rounded, with the moment at which they are made."""
    rows = ablations(model, records)
    blank = rows.pop("blank")
    return {"moment": records.moment, **_rounded(rows), "blank": {**blank, "share": round(blank["share"], DIGITS)}}


def survival(records: Lives) -> dict[str, list]:
    """P(answer) by segments since the fact's own: mean, band over facts, and the share answered right."""
    some = records.lasting.any(0)  # distances at which some fact can still be asked for
    n = len(some) if some.all() else int(some.argmin())
    p, right = records.p[:, :n], np.where(records.lasting, records.right, np.nan)[:, :n]
    low, high = np.nanquantile(p, BAND, axis=0)
    rows = {"mean": np.nanmean(p, 0), "low": low, "high": high, "right": np.nanmean(right, 0)}
    return {"distance": records.distance[:n].tolist(), **_rounded(rows)}


def retention(records: Lives) -> list[dict]:
    """The share of captured facts that are still answered right, by segments since the fact's own."""
    captured = records.right[:, 1] & records.lasting[:, 1]
    last = records.p.shape[1] - 2
    distances = sorted({*(d for d in KEPT if d <= last), last})
    return [{"distance": d, **share(records.right[captured & records.lasting[:, d + 1], d + 1])} for d in distances]


def share(right: np.ndarray) -> dict[str, float]:
    """A share with its 95 % Wilson interval and its n; None where n is 0."""
    n = len(right)
    if not n:
        return {"share": None, "low": None, "high": None, "n": 0}
    p = float(right.mean())
    low, high = wilson(p, n)
    return {**_rounded({"share": p, "low": low, "high": high}), "n": n}


@torch.inference_mode()
def interference(
    model: Model, kind: str, *, samples: int = 100, gap: int = 2, after: int = 4, seed: int = 0, reset: bool = False
) -> dict[str, list]:
    """Measure the effect of a second fact of the same kind on the first, `gap` segments later.

    kind "another": the second has a question of its own; "same": it gives the first one's question a new answer.
    Returns P(answer) of the first and the second fact, mean and band over runs, by segments since the second one's own
    (-1: before it); an empty dict where the task has no such pairs, as where no fact answers a question alone.
    """
    sampler = sampler_of(model)
    rng = np.random.default_rng([INTERVENTION, seed, SECOND.index(kind)])
    pairs = []
    for _ in range(samples):
        if (pair := _pair(rng, sampler.task, kind)) is None:
            return {}
        pairs.append(pair)
    length = model.segment_length
    documents = [
        (
            told(sampler, rng, first, before=1, over=1, after=gap, length=length),
            told(sampler, rng, second, before=0, over=1, after=after, length=length),
        )
        for first, second in pairs
    ]
    documents_here = my_share(documents)
    states = ()
    if documents_here:
        ids = np.stack([np.concatenate([a.ids, b.ids]) for a, b in documents_here])
        states = read(model, ids, standing=(RESET,) if reset else ()).states[2 + gap :]
    rows = {"distance": [*range(-1, after + 1)]}
    for name, which in (("first", 0), ("second", 1)):
        facts = [facts_of(document[which])[0] for document in documents_here]
        answers = torch.tensor([fact.answer for fact in facts])
        each = [ask_each(model, state, facts).cpu()[torch.arange(len(facts)), answers].numpy() for state in states]
        p = np.array(together(list(np.array(each).T))).T  # (moments, samples)
        low, high = np.quantile(p, BAND, axis=1)
        rows[name] = _rounded({"mean": p.mean(1), "low": low, "high": high})
    return rows


def _pair(rng: np.random.Generator, task: Task, kind: str) -> tuple[Story, Story] | None:
    """Draw two stories of one fact each that questions can ask for; None where many draws gave no such pair."""
    for _ in range(MOST_STORIES):
        first, second = (task.story(rng) for _ in range(2))
        pairs = [question_about(s.facts[0], [], task.classes, task.looks) or s.about(0) for s in (first, second)]
        if all(pairs) and pairs[0][1] != pairs[1][1] and (pairs[0][0] == pairs[1][0]) == (kind == "same"):
            return tuple(Story(s.facts[:1], *a, ((), (a,))) for s, a in zip((first, second), pairs, strict=True))
    return None


def _rounded(rows: dict[str, Sequence[float] | float]) -> dict:
    return {name: np.round(np.asarray(row), DIGITS).tolist() for name, row in rows.items()}
