"""Linear probes: from which slots a fact's answer can be decoded, and for how long.

Ridge regression from one slot's numbers to the classes, in closed form and so deterministic; trained on runs of one
seed, scored on runs of another. The control is trained on shuffled answers: its score is what a probe of this size
reaches without information.
"""

import numpy as np
import torch
from torch import Tensor

from rmt.causes.facts import facts_of
from rmt.causes.samples import INTERVENTION, sampler_of, story_with_a_fact, told
from rmt.intervene import RESET, Progress, read
from rmt.model import Model
from rmt.model.processes import my_share, together

RIDGE = 1e-2  # of the mean variance
TRAIN, TEST, SHUFFLES = 600, 300, 10
MOMENTS = (-1, 0, 1, 2, 4, 8)  # segments since the fact's own; -1 is before it


def fit(x: Tensor, y: Tensor, n_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Fit P probes at once to x (P, F, D), classes y (F,): weights (P, D, C), biases (P, 1, C), means (P, 1, D)."""
    target = torch.nn.functional.one_hot(y, n_classes).to(x)  # (F, C)
    mean = x.mean(1, keepdim=True)
    centred = x - mean
    gram = centred.mT @ centred  # (P, D, D)
    ridge = RIDGE * gram.diagonal(dim1=-2, dim2=-1).mean(-1).clamp_min(1e-12)
    gram = gram + ridge[:, None, None] * torch.eye(x.shape[-1]).to(x)
    bias = target.mean(0)
    weights = torch.linalg.solve(gram, centred.mT @ (target - bias))
    return weights, bias.expand(len(x), 1, -1), mean


def score(probe: tuple[Tensor, Tensor, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Accuracy of each of P probes on x (P, F, D), classes y (F,): (P,)."""
    weights, bias, mean = probe
    return (((x - mean) @ weights + bias).argmax(-1) == y).double().mean(-1)


@torch.inference_mode()
def probes(
    model: Model,
    *,
    train: int = TRAIN,
    test: int = TEST,
    seed: int = 0,
    reset: bool = False,
    moments: tuple[int, ...] = MOMENTS,
    progress: Progress | None = None,
) -> dict:
    """Held-out accuracy of a probe for each slot and moment, as lists: right and shuffled (n, M), whole (n,).

    shuffled: mean over `SHUFFLES` orders; whole: one probe of all slots together. progress(done, total) counts runs.
    """
    sides = []
    for side, n in enumerate((train, test)):
        done = (0, train)[side]
        sides.append(_slots(model, n, [INTERVENTION, seed, 7 + side], reset, moments, done, train + test, progress))
    (x, y), (held, truth) = sides  # (n, M, F, D)
    n, m = x.shape[:2]
    flat = [t.flatten(0, 1) for t in (x, held)]
    c = len(model.about.classes)
    orders = [np.random.default_rng([INTERVENTION, seed, 9, i]).permutation(len(y)) for i in range(SHUFFLES)]
    right = score(fit(flat[0], y, c), flat[1], truth).view(n, m)
    shuffled = sum(score(fit(flat[0], y[order], c), flat[1], truth).view(n, m) for order in orders) / SHUFFLES
    joined = [t.transpose(1, 2).flatten(2) for t in (x, held)]  # (n, F, M D)
    whole = score(fit(joined[0], y, c), joined[1], truth)
    scores = {"right": right, "shuffled": shuffled, "whole": whole}
    return {
        "train": train,
        "test": test,
        "moments": list(moments),
        "chance": 1 / c,
        **{k: v.numpy().round(4).tolist() for k, v in scores.items()},
    }


def _slots(model, n, seeds, reset, moments, done, total, progress, batch: int = 100) -> tuple[Tensor, Tensor]:
    """Read n fresh runs: slots (moments, M, F, D), and the answer (F,) of each run's first fact that stays true."""
    sampler, rng, slots_of_runs, answers = sampler_of(model), np.random.default_rng(seeds), [], []
    for i in range(0, n, batch):
        stories = [story_with_a_fact(rng, sampler.task) for _ in range(min(batch, n - i))]
        size = {"before": 1, "over": 1, "after": max(moments), "length": model.segment_length}
        documents = [told(sampler, rng, story, **size) for story in stories]
        facts = [next(fact for fact in facts_of(document) if fact.until is None) for document in documents]
        answers += [fact.answer for fact in facts]
        mine = my_share(documents) or documents[:1]
        ids = np.stack([document.ids for document in mine])
        states = read(model, ids, standing=(RESET,) if reset else ()).states
        # The fact stands in the second segment: the state before it is states[1], the one after it states[2].
        slots = torch.stack([model.cell.slots(states[2 + d]).double().cpu() for d in moments], dim=1)  # (F, n, M, D)
        slots_of_runs += together(list(slots)[: len(my_share(documents))])
        if progress:
            progress(done + i + len(stories), total)
    return torch.stack(slots_of_runs).permute(1, 2, 0, 3), torch.tensor(answers)
