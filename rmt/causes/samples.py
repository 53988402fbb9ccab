"""Fresh runs of a model's task, for means over runs and for counting over many: seeds of their own."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rmt.errors import InputError
from rmt.intervene import read
from rmt.model import Model
from rmt.tasks import TASKS
from rmt.tasks.base import Sampler, Span, Story, Task

INTERVENTION = 3  # first word of the seeds here; training and evaluation have others
MOST_MEANS = 24  # segments of the runs that a mean is over; from there on it stays as it is

MOST_STORIES = 1000  # that are drawn until one is as it is needed


@dataclass(frozen=True)
class Told:
    """A document that tells a story and never asks: ids (n_tokens,), where its facts stand, and the story."""

    ids: np.ndarray
    spans: tuple[Span, ...]
    story: Story


@torch.inference_mode()
def usual(model: Model, n_segments: int, *, samples: int = 32, seed: int = 0) -> Tensor:
    """Slots before each segment and after the last, mean over fresh samples of the model's task: (S + 1, M, D')."""
    ids, _ = fresh(model, n_segments, samples=samples, seed=seed)
    return torch.stack([model.cell.slots(state).mean(0) for state in read(model, ids).states])


def baseline(model: Model, n_segments: int) -> tuple[str, Tensor]:
    """What ablated slots become in What if, Facts and Why: its name, and slots before each segment (S + 1, M, D').

    "mean": the mean over fresh runs of the model's task at that moment. "initial": the initial memory, where the model
    has no task of ours, and where the slots are not all that its memory is.
    """
    try:
        means = None if model.cell.past else usual(model, min(n_segments, MOST_MEANS))
    except InputError:
        means = None
    if means is not None:
        return "mean", means
    return "initial", model.cell.slots(model.cell.initial(1))


def at_moment(means: Tensor, i: int) -> Tensor:
    """Slots (M, D') of a baseline before segment i; past its end they stay as they are."""
    return means[min(i, len(means) - 1)]


def fresh(model: Model, n_segments: int, *, samples: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """Fresh held-out documents of the model's task, ids (B, S * segment_length), and the classes of their answers."""
    sampler = sampler_of(model)
    rng = np.random.default_rng([INTERVENTION, seed, n_segments])
    ids, labels = sampler.batch(rng, samples, n_segments * model.segment_length)
    return torch.from_numpy(ids).to(model.device), labels


def sampler_of(model: Model) -> Sampler:
    """Where fresh samples of a model's task come from. Raises InputError where it has none of ours."""
    task = TASKS.get(model.about.task)
    if task is None or model.tokenizer is None or model.backbone.head != "classify":
        raise InputError(f"{model.about.name} was not trained on a task of ours, so there are no other runs of it.")
    if tuple(model.about.classes) != task.classes:
        raise InputError(f"{model.about.name} has other answers than the task {task.name}, so it cannot be asked.")
    return Sampler(task, model.tokenizer, "eval")


def story_with_a_fact(rng: np.random.Generator, task: Task) -> Story:
    """A fresh story of which a fact can be asked for. Raises InputError where the task's stories do not say."""
    for _ in range(MOST_STORIES):
        story = task.story(rng)
        if any(story.answers[1:]):
            return story
    raise InputError(f"The stories of the task {task.name} do not say what their facts answer.")


def told(
    sampler: Sampler, rng: np.random.Generator, story: Story, *, before: int, over: int, after: int, length: int
) -> Told:
    """A story told anywhere in `over` segments of so many tokens, with segments of other text around; never asked."""
    lead, tail = (sampler.filler(rng, n * length) for n in (before, after))
    ids, spans = sampler.tell(rng, story, over * length)
    spans = tuple(Span(span.kind, span.start + len(lead), span.end + len(lead)) for span in spans)
    return Told(np.concatenate([lead, ids, tail]), spans, story)
