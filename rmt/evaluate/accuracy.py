"""The accuracy of a model on fresh samples of its task, at any length in constant memory, with its controls."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from rmt.backbone.last_layer import lean
from rmt.errors import InputError
from rmt.evaluate.calibration import by_chance, calibration_error
from rmt.evaluate.finished_samples import Kept, confidences, tally
from rmt.model import Model
from rmt.model.cuda_graph import fast_unroll
from rmt.model.processes import this_process
from rmt.tasks import TASKS
from rmt.tasks.base import Sampler, Task, Text
from rmt.tasks.interval import wilson
from rmt.text.segments import Segment

EVALUATION = 2  # first word of every evaluation seed; training uses another, so the two never meet
CONTROLS = ("none", "reset", "untrained")
STRETCH = 64  # segments of text that are generated at once
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}


def evaluate(
    model: Model,
    *,
    segments: list[int],
    samples: int,
    seed: int = 0,
    control: str = "none",
    filtered: bool | None = None,
    precision: str = "fp32",
    batch: int = 100,
    keep: Path | None = None,
    task: Task | None = None,
    never: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[dict]:
    """Yield one row per number of segments: accuracy over fresh samples, its standard error and 95 % interval.

    Beside it how sure the model was: `confidence`, the mean probability of its answers; `calibration_error`, and
    `calibration_by_chance`, below which that error shows no fault (None where a kept file does not know them).

    Text and stories come from held-out documents and from seeds that training never uses. Each sample has its own seed,
    so it does not depend on the batch or the process. A document is generated while it is read, so memory does not grow
    with length. control: "reset" puts the initial memory back before every segment; for "untrained" pass a model of
    fresh weights. filtered: whether sentences with one of the stories' people or places are left out of the distractor
    text, by default as in the task. precision: "bf16" multiplies matrices in bfloat16, about twice as fast where the
    processor supports it. keep: a file for the results of finished samples, from which the same evaluation resumes.
    progress(done, total) counts tokens of all samples that are still to be read. task: by default the model's own;
    answers are matched by their words. never: ask about people or objects that were never mentioned, where the task has
    such questions. Under torchrun or accelerate launch each process reads its share of the samples, and all yield the
    same rows.
    """
    task = task or TASKS.get(model.about.task)
    _check(model, task, segments, samples, control, precision)
    task_filtered, task = task.filtered, replace(task, filtered=task.filtered if filtered is None else filtered)
    sampler = Sampler(task, model.tokenizer, "eval")
    options = {"never": True} if never else {}
    process, processes, _ = this_process()
    settings = {
        "weights": model.about.fingerprint, "task": task.name, "segment_length": model.segment_length,
        "seed": seed, "control": control, "precision": precision, **options,
        **({} if task.filtered == task_filtered else {"filtered": task.filtered}),
    }  # fmt: skip
    store = Kept(keep, settings, process)
    known = _of_all(store.lines)
    todo = {n: [i for i in range(samples) if i not in tally(known, n, samples)[0]] for n in segments}
    total, done = sum(n * len(todo[n]) for n in todo) * model.segment_length, 0

    def count(tokens: int) -> None:
        nonlocal done
        done += tokens * processes
        if progress:
            progress(min(done, total), total)

    for n_segments in segments:
        mine = todo[n_segments][process::processes]
        for numbers in (mine[at : at + batch] for at in range(0, len(mine), batch)):
            began = time.perf_counter()
            rngs = [np.random.default_rng([EVALUATION, seed, n_segments, i]) for i in numbers]
            examples = [sampler.example(rng, n_segments * model.segment_length, **options) for rng in rngs]
            pages = Pages(model, [example.text for example in examples], n_segments)
            answers, confidence = _answers(model, pages, reset=control == "reset", precision=precision, count=count)
            answer_words = [model.about.classes[answer] for answer in answers]
            right = [word == task.classes[e.label] for word, e in zip(answer_words, examples, strict=True)]
            store.add(n_segments, numbers, right, confidence.tolist(), time.perf_counter() - began)
        lines = _of_all(store.lines)
        results, seconds = tally(lines, n_segments, samples)
        accuracy = sum(results.values()) / samples
        low, high = wilson(accuracy, samples)
        yield {
            "segments": n_segments,
            "tokens": n_segments * model.segment_length,
            "samples": samples,
            "accuracy": accuracy,
            "stderr": float(np.sqrt(accuracy * (1 - accuracy) / samples)),
            "low": low,
            "high": high,
            **doubt(results, confidences(lines, n_segments, samples)),
            "control": control,
            "background": "filtered" if task.filtered else "as it is",
            "seconds": round(seconds, 1),
        }


def _check(model: Model, task: Task | None, segments: list[int], samples: int, control: str, precision: str) -> None:
    """Raise InputError for arguments of `evaluate` that do not fit."""
    if control not in CONTROLS:
        raise InputError(f"There is no control {control!r}; choose {', '.join(CONTROLS)}.")
    if precision not in PRECISIONS:
        raise InputError(f"There is no precision {precision!r}; choose {', '.join(PRECISIONS)}.")
    if task is None or not model.tokenizer:
        raise InputError(f"{model.about.name} was not trained on a task of ours, so there is nothing to score it on.")
    if unknown := sorted(set(task.classes) - set(model.about.classes)):
        raise InputError(
            f"{model.about.name} cannot answer the task {task.name}: it does not know {', '.join(unknown)}."
        )
    if samples < 1 or min(segments, default=0) < 1:
        raise InputError("Give at least one sample and lengths of one segment or more.")


def doubt(results: dict[int, bool], confidence: dict[int, float]) -> dict[str, float | None]:
    """How sure the model was of its answers, and whether that was right."""
    if set(results) != set(confidence) or not np.isfinite([*confidence.values()]).all():
        return dict.fromkeys(("confidence", "calibration_error", "calibration_by_chance"))
    sure, right = zip(*((confidence[i], right) for i, right in sorted(results.items())), strict=True)
    return {
        "confidence": round(float(np.mean(sure)), 4),
        "calibration_error": round(calibration_error(sure, right), 4),
        "calibration_by_chance": round(by_chance(sure), 4),
    }


def _of_all(lines: list[dict]) -> list[dict]:
    """Gather the lines of all processes, each once, as they may have read the same files."""
    if this_process()[1] == 1:
        return lines
    from accelerate.utils import gather_object

    return [json.loads(line) for line in dict.fromkeys(gather_object([json.dumps(line) for line in lines]))]


class Pages(Sequence):
    """The segments of several texts of n_segments each, generated STRETCH at a time when they are read."""

    def __init__(self, model: Model, texts: list[Text], n_segments: int):
        self.length, self.device = model.segment_length, model.device
        self.texts, self.n_segments = texts, n_segments
        self.first, self.made = -STRETCH, torch.zeros(0)

    def __len__(self) -> int:
        return self.n_segments

    def __getitem__(self, i: int) -> Segment:
        if not 0 <= i < self.n_segments:
            raise IndexError(i)
        if not self.first <= i < self.first + STRETCH:
            self.first = i - i % STRETCH
            start, stop = (min(n, self.n_segments) * self.length for n in (self.first, self.first + STRETCH))
            rows = np.stack([text.read(start, stop) for text in self.texts])
            self.made = torch.from_numpy(rows).to(self.device).unflatten(1, (-1, self.length))
        return Segment(self.made[:, i - self.first].contiguous())


@torch.inference_mode()
def _answers(
    model: Model, pages: Pages, *, reset: bool, precision: str, count: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """The model's class for each text (B,), and the probability that it gave it (B,).

    Only the state is kept, and count(tokens) is called after each segment.
    """
    initial = model.cell.initial(len(pages.texts))
    before = (lambda i, state: initial) if reset else None
    dtype = PRECISIONS[precision]
    steps = fast_unroll(model.cell, lean(model.backbone), pages, state=initial, before=before)
    with torch.autocast(model.device.type, dtype, enabled=dtype is not None):
        for segment, step, _ in steps:  # noqa: B007
            count(segment.ids.numel())
        answers = step.logits.argmax(-1)
        confidence = model.shares(step.logits).gather(-1, answers[:, None])[:, 0]
        return answers.cpu().numpy(), confidence.double().cpu().numpy()
