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
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


def evaluate(
    model: Model,
    *,
    segments: list[int],
    samples: int,
    seed: int = 0,
    control: str = "none",
    precision: str = "fp32",
    batch: int = 100,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[dict]:
    """Yield one row per number of segments: accuracy over fresh samples and its standard error.

    Text and questions come from held-out documents and from seeds that training never uses. control "reset" puts
    the initial memory back before every segment; for "untrained" pass a model of fresh weights. precision "bf16"
    multiplies matrices in bfloat16, about twice as fast where the processor knows it.
    progress(done, total) counts tokens read over all rows.
    """
    if control not in CONTROLS:
        raise InputError(f"There is no control {control!r}; choose {', '.join(CONTROLS)}.")
    if precision not in PRECISIONS:
        raise InputError(f"There is no precision {precision!r}; choose {', '.join(PRECISIONS)}.")
    if model.about.task not in TASKS or not model.tokenizer:
        raise InputError(f"{model.about.name} was not trained on a task of ours, so there is nothing to score it on.")
    if samples < 1 or min(segments, default=0) < 1:
        raise InputError("Give at least one sample and lengths of one segment or more.")
    sampler = Sampler(TASKS[model.about.task], model.tokenizer, "eval")
    total, done = sum(segments) * samples * model.segment_length, 0

    def count(tokens: int) -> None:
        nonlocal done
        done += tokens
        if progress:
            progress(done, total)

    for n_segments in segments:
        right = []
        while len(right) < samples:
            # A seed per batch, not per row: a sample is the same however many are asked for beside it.
            rng = np.random.default_rng([EVALUATION, seed, n_segments, len(right)])
            ids, labels = sampler.batch(rng, batch, n_segments * model.segment_length)
            keep = min(batch, samples - len(right))
            answers = _answers(model, ids[:keep], reset=control == "reset", precision=precision, count=count)
            right.extend(answers == labels[:keep])
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
def _answers(model: Model, ids: np.ndarray, *, reset: bool, precision: str, count: Callable[[int], None]) -> np.ndarray:
    """The class answered for each row of ids, keeping nothing but the state; count(tokens) after each segment."""
    segments = model.split(torch.from_numpy(ids).to(model.device))
    initial = model.cell.initial(len(ids))
    before = (lambda i, state: initial) if reset else None
    dtype = PRECISIONS[precision]
    with torch.autocast(model.device.type, dtype, enabled=dtype is not None):
        for segment, step, _ in unroll(model.cell, model.backbone, segments, state=initial, before=before):  # noqa: B007
            count(segment.ids.numel())
        return step.logits.argmax(-1).cpu().numpy()
