"""A gallery of runs: fresh texts of a model's task, what it answers, and what is special about each of them.

A row says all that is needed to record the same run again: the checkpoint, its length, its seed, and which question.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from rmt.errors import InputError
from rmt.evaluate.accuracy import EVALUATION
from rmt.model import Model
from rmt.recorder import record
from rmt.tasks import TASKS
from rmt.tasks.asking import of_story
from rmt.tasks.babi import KINDS, NEVER
from rmt.tasks.base import Example, Sampler, Span
from rmt.trace import Trace

FAR, CROWDED = 8, 12  # segments from a fact to its question, and facts in all, worth a word


@dataclass(frozen=True)
class Row:
    """A run of the gallery.

    never: whether the question is about somebody who was never mentioned. p, p_truth: the probabilities of the answer
    and of the truth. facts: told in all. special: some of update, never mentioned, cut fact, far, crowded. moment: the
    segment, counted from 1, where it is decided, and why that one.
    """

    checkpoint: str
    segments: int
    seed: int
    never: bool
    question: str
    answer: str
    truth: str
    right: bool
    p: float
    p_truth: float
    facts: int
    special: tuple[str, ...]
    moment: int
    why: str


def fresh(model: Model, segments: int, seed: int, *, task: str | None = None, never: bool = False) -> tuple:
    """Make a document that training never saw: an `Example`, and keyword arguments of `record` for it.

    task: by default the model's own. Raises InputError for a task that the model cannot answer.
    """
    name = task or model.about.task
    if name not in TASKS or (never and name not in KINDS):
        kind = "no questions about what was never mentioned" if name in TASKS else "no task of this program"
        raise InputError(f"{model.about.name} has {kind}; choose among {', '.join(KINDS if never else TASKS)}.")
    if model.tokenizer is None:
        raise InputError(f"{model.about.name} has no tokenizer.json, so no sample can be written for it.")
    sampler = Sampler(TASKS[name], model.tokenizer, "eval")
    rng = np.random.default_rng([EVALUATION, seed])
    example = sampler.example(rng, segments * model.segment_length, **({"never": True} if never else {}))
    answer = sampler.task.classes[example.label]
    if answer not in model.about.classes:
        raise InputError(f"{model.about.name} cannot answer the task {name}: it does not know {answer!r}.")
    known = {"spans": example.spans, "label": model.about.classes.index(answer), "seed": seed}
    same = tuple(model.about.classes) == sampler.task.classes
    return example, known | ({"asking": of_story(sampler.task, example.story, example.spans)} if same else {})


def gallery(
    model: Model,
    *,
    segments: Sequence[int],
    seeds: Sequence[int],
    never: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Row]:
    """Yield a row for each length and seed, none left out. progress(done, total) counts runs."""
    total = len(segments) * len(seeds)
    for i, (length, seed) in enumerate((length, seed) for length in segments for seed in seeds):
        example, known = fresh(model, length, seed, never=never)
        yield row(model.about.name, example, record(model, example.ids, detail="memory", **known), seed, never=never)
        if progress:
            progress(i + 1, total)


def row(checkpoint: str, example: Example, trace: Trace, seed: int, *, never: bool) -> Row:
    """The row of a recorded run of an example."""
    probabilities, truth = trace.probabilities, trace.classes[trace.meta["label"]]
    facts = [span for span in example.spans if span.kind == "fact"]
    answering = [k for k, new in enumerate(example.story.answers[1:]) if example.story.question in dict(new)]
    deciding = facts[answering[-1]] if answering else None
    moment, why = _moment(trace, deciding)
    return Row(
        checkpoint, trace.n_segments, seed, never, example.story.question, trace.answer, truth, trace.answer == truth,
        round(probabilities[trace.answer], 4), round(probabilities[truth], 4), len(facts),
        tuple(_special(trace, deciding, len(answering), len(facts), truth)), moment, why,
    )  # fmt: skip


def as_dict(row: Row) -> dict:
    """A row as JSON values."""
    return {**asdict(row), "special": list(row.special)}


def _special(trace: Trace, deciding: Span | None, tellings: int, facts: int, truth: str) -> Iterator[str]:
    """What is special about a run: deciding: the fact that answers its question; tellings: of that question in all."""
    last = trace.n_segments - 1
    if tellings > 1:
        yield "update"
    if truth == NEVER:
        yield "never mentioned"
    if deciding and trace.segment_of(deciding.start) != trace.segment_of(deciding.end - 1):
        yield "cut fact"
    if deciding and last - trace.segment_of(deciding.end - 1) >= FAR:
        yield "far"
    if facts >= CROWDED:
        yield "crowded"


def _moment(trace: Trace, deciding: Span | None) -> tuple[int, str]:
    """The segment where the answer is decided, counted from 1, and what happens there."""
    label, n = trace.meta["label"], trace.n_segments
    good = np.asarray(trace.arrays["asked"][:]).argmax(-1) == label  # (S + 1,), asked after so many segments
    right = trace.answer == trace.classes[label]
    if deciding is None:
        wrong = np.flatnonzero(~good)
        if right or not len(wrong):
            return n, "asked about somebody who was never mentioned"
        return max(int(wrong[0]), 1), "from here on it believes to know"
    told = trace.segment_of(deciding.end - 1) + 1  # segments read once the fact is told
    if right:
        return told, "here the fact is told"
    if told < n and not good[told]:
        return told, "told here, and not stored"
    lost = next((s for s in range(told, n + 1) if not good[s]), n)
    return min(lost, n), "forgotten here" if lost < n else "read wrong at the end"
