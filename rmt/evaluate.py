"""Accuracy of a model on fresh samples of its task at any length; constant memory, controls beside it."""

from collections.abc import Callable, Iterator

import numpy as np
import torch

from rmt.errors import InputError
from rmt.model import Model
from rmt.tasks import TASKS
from rmt.tasks.base import Sampler
from rmt.unroll import unroll

EVALUATION = 2  # first word of every evaluation seed; training uses another, so the two never meet
CONTROLS = ("none", "reset", "untrained")


def evaluate(
    model: Model,
    *,
    segments: list[int],
    samples: int,
    seed: int = 0,
    control: str = "none",
    batch: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[dict]:
    """Yield one row per number of segments: accuracy over fresh samples and its standard error.

    Text and questions come from held-out documents and from seeds that training never uses. control "reset" puts
    the initial memory back before every segment; for "untrained" pass a model of fresh weights.
    progress(done, total) counts tokens read over all rows.
    """
    if control not in CONTROLS:
        raise InputError(f"There is no control {control!r}; choose {', '.join(CONTROLS)}.")
    if model.about.task not in TASKS or not model.tokenizer:
        raise InputError(f"{model.about.name} was not trained on a task of ours, so there is nothing to score it on.")
    if samples < 1 or min(segments, default=0) < 1:
        raise InputError("Give at least one sample and lengths of one segment or more.")
    sampler = Sampler(TASKS[model.about.task], model.tokenizer, "eval")
    total, done = sum(segments) * samples * model.segment_length, 0
    for n_segments in segments:
        right = []
        while len(right) < samples:
            # A seed per batch, not per row: a sample is the same however many are asked for beside it.
            rng = np.random.default_rng([EVALUATION, seed, n_segments, len(right)])
            ids, labels = sampler.batch(rng, batch, n_segments * model.segment_length)
            keep = min(batch, samples - len(right))
            for answer in _answers(model, ids[:keep], reset=control == "reset"):
                if isinstance(answer, int):
                    done += answer
                    if progress:
                        progress(done, total)
                else:
                    right.extend(answer == labels[:keep])
        accuracy = float(np.mean(right))
        yield {
            "segments": n_segments,
            "tokens": n_segments * model.segment_length,
            "samples": samples,
            "accuracy": accuracy,
            "stderr": float(np.sqrt(accuracy * (1 - accuracy) / samples)),
            "control": control,
        }


@torch.inference_mode()
def _answers(model: Model, ids: np.ndarray, *, reset: bool) -> Iterator[int | np.ndarray]:
    """Yield the tokens read after each segment, then the classes answered."""
    segments = model.split(torch.from_numpy(ids).to(model.device))
    initial = model.cell.initial(len(ids))
    before = (lambda i, state: initial) if reset else None
    last = None
    for segment, last, _ in unroll(model.cell, model.backbone, segments, state=initial, before=before):  # noqa: B007
        yield segment.ids.numel()
    yield last.logits.argmax(-1).cpu().numpy()
