"""Fresh runs of a model's task, for means and counts over many runs; their seeds are used nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rmt.errors import InputError
from rmt.intervene import Progress, Reading, read
from rmt.model import Model
from rmt.tasks import TASKS
from rmt.tasks.base import Sampler, Span, Story, Task

INTERVENTION = 3  # first word of the seeds here; training and evaluation have others
RUNS = 32  # fresh runs that are read at once, each with its own facts
MOST_MEANS = 24  # segments of the runs that a mean is taken over; later segments have the last one's mean
MOST_STORIES = 1000  # drawn at most until one has what is needed


@dataclass(frozen=True)
class Told:
    """A document that tells a story without a question: ids (n_tokens,), the spans of its facts, and the story."""

    ids: np.ndarray
    spans: tuple[Span, ...]
    story: Story


@dataclass(frozen=True)
class FreshRuns:
    """Documents of a model's task, each with its own facts, as they are read without a change.

    labels (B,): the classes of their answers. What is read does not depend on any change, so it can be kept: whoever
    asks for several what-ifs of one length gives a function like `read_fresh` that does.
    """

    reading: Reading
    labels: np.ndarray


ReadFresh = Callable[..., FreshRuns]


def read_fresh(
    model: Model, n_segments: int, *, samples: int = RUNS, seed: int = 0, progress: Progress | None = None
) -> FreshRuns:
    """Make fresh documents of the model's task and read them. progress(done, total) counts segments."""
    ids, labels = fresh(model, n_segments, samples=samples, seed=seed)
    return FreshRuns(read(model, ids, progress=progress), labels)


@torch.inference_mode()
def usual(
    model: Model,
    n_segments: int,
    *,
    samples: int = RUNS,
    seed: int = 0,
    runs: ReadFresh = read_fresh,
    progress: Progress | None = None,
) -> Tensor:
    """Mean slots over fresh samples of the model's task, before each segment and after the last: (S + 1, M, D')."""
    reading = runs(model, n_segments, samples=samples, seed=seed, progress=progress).reading
    return torch.stack([model.cell.slots(state).mean(0) for state in reading.states])


def baseline(
    model: Model, n_segments: int, *, runs: ReadFresh = read_fresh, progress: Progress | None = None
) -> tuple[str, Tensor]:
    """The values that ablation puts into slots: their name, and the slots before each segment (S + 1, M, D').

    "mean": the mean over fresh runs of the model's task at that moment. "initial": the initial memory, where the model
    has no task of this program, or where its memory is more than its latest slots. progress(done, total) counts
    segments of these runs.
    """
    try:
        short = min(n_segments, MOST_MEANS)
        means = None if model.cell.past else usual(model, short, runs=runs, progress=progress)
    except InputError:
        means = None
    if means is not None:
        return "mean", means
    return "initial", model.cell.slots(model.cell.initial(1))


def at_moment(means: Tensor, i: int) -> Tensor:
    """Slots (M, D') of a baseline before segment i; past its end, the last ones."""
    return means[min(i, len(means) - 1)]


def fresh(model: Model, n_segments: int, *, samples: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """Make held-out documents of the model's task: ids (B, S * segment_length), and the classes of their answers."""
    sampler = sampler_of(model)
    rng = np.random.default_rng([INTERVENTION, seed, n_segments])
    ids, labels = sampler.batch(rng, samples, n_segments * model.segment_length)
    return torch.from_numpy(ids).to(model.device), labels


def sampler_of(model: Model) -> Sampler:
    """The sampler of a model's task. Raises InputError where its task is not one of this program's."""
    task = TASKS.get(model.about.task)
    if task is None or model.tokenizer is None or model.backbone.head != "classify":
        raise InputError(f"{model.about.name} was not trained on a task of ours, so there are no other runs of it.")
    if tuple(model.about.classes) != task.classes:
        raise InputError(f"{model.about.name} has other answers than the task {task.name}, so it cannot be asked.")
    return Sampler(task, model.tokenizer, "eval")


def story_with_a_fact(rng: np.random.Generator, task: Task) -> Story:
    """Draw a story with a fact that a question asks for. Raises InputError where the task's stories have none."""
    for _ in range(MOST_STORIES):
        story = task.story(rng)
        if any(story.answers[1:]):
            return story
    raise InputError(f"The stories of the task {task.name} do not say what their facts answer.")


def told(
    sampler: Sampler, rng: np.random.Generator, story: Story, *, before: int, over: int, after: int, length: int
) -> Told:
    """Make a document without a question: a story spread over `over` segments, with other text before and after.

    before, over, after: segments of `length` tokens.
    """
    lead, tail = (sampler.filler(rng, n * length) for n in (before, after))
    ids, spans = sampler.tell(rng, story, over * length)
    spans = tuple(Span(span.kind, span.start + len(lead), span.end + len(lead)) for span in spans)
    return Told(np.concatenate([lead, ids, tail]), spans, story)
