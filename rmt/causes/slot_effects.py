"""The effect of each slot on a run's answer at each moment: every ablation of one slot, many rows in one batch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rmt.causes.blank_answer import blank
from rmt.causes.samples import INTERVENTION, ReadFresh, baseline, read_fresh, sampler_of
from rmt.errors import InputError
from rmt.intervene import Progress, Reading, intervene, read, recalled
from rmt.intervene.changes import Ablate, Transplant
from rmt.intervene.reading import chosen, without
from rmt.memory.base import State, map_state
from rmt.model import Model
from rmt.model.processes import this_process, together
from rmt.tasks.base import Story
from rmt.text.segments import Segment
from rmt.trace import Trace


@dataclass(frozen=True)
class Effects:
    """The effects of ablation, before each of some segments, on the answer of a run.

    map (n, M): how far P(answer) falls when one slot is ablated before the segment of this row, and whole (n,) when
    all of them are; for a language model, how far the mean loss from there on rises, in nats. segments (n,): indices.
    answer: the class, None for a language model. unchanged (n,): P(answer), or the loss, without ablation. to: what
    slots become. alone: whether each column keeps its slot and ablates all the others: what one slot is enough for.
    """

    map: np.ndarray
    whole: np.ndarray
    segments: np.ndarray
    unchanged: np.ndarray
    answer: int | None
    to: str
    alone: bool = False


@torch.inference_mode()
def effects(
    model: Model,
    reading: Reading,
    *,
    to: str = "mean",
    alone: bool = False,
    means: Tensor | None = None,
    segments: Sequence[int] | None = None,
    answer: int | None = None,
    progress: Progress | None = None,
) -> Effects:
    """Ablate each slot, and all of them, before each of the segments, one at a time; measure the answer.

    The rows of a later segment join those of the earlier ones, so a run of S segments is read once with a growing
    batch of up to S * (M + 1) rows. answer: the class to follow, by default the run's own. alone: keep each slot and
    ablate all the others instead. to, means: as in `rmt.intervene.changes.Ablate`. progress(done, total) counts
    segments read, over rows.
    """
    cell, moments = model.cell, sorted({*(segments if segments is not None else range(len(reading.segments)))})
    if len(reading.ids) > 1 or model.backbone.head not in ("classify", "lm") or cell.past:
        raise InputError(
            "Effects are counted for one run of a model that answers, with a memory that forgets its past."
        )
    n_slots = cell.slots(reading.states[0]).shape[1]
    if not n_slots or moments[-1] >= len(reading.segments) or moments[0] < 0:
        raise InputError(f"The run has {len(reading.segments)} segments and {n_slots} slots; choose among them.")
    others = [tuple(other for other in range(n_slots) if other != slot) for slot in range(n_slots)]
    each = [*(others if alone and n_slots > 1 else ((slot,) for slot in range(n_slots))), ()]  # the last is all of it
    reset = bool(reading.standing)  # the control: each segment begins with the initial memory
    total = sum(len(each) * (len(reading.segments) - s) for s in moments)
    rows, done, losses = None, 0, []
    for i in range(moments[0], len(reading.segments)):
        if reset and rows is not None:
            rows = cell.initial(_size(rows))
        if i in moments:
            rows = _join(rows, _ablated(model, cell.initial(1) if reset else reading.states[i], i, each, to, means))
        segment, n = reading.segments[i], _size(rows)
        step, rows = cell.step(model.backbone, _repeat(segment, n), rows)
        if segment.labels is not None:
            losses.append(step.output.token_loss(segment.labels.expand(n, -1)).double())
        done += n
        if progress:
            progress(done, total)
    if model.backbone.head == "classify":
        if reading.probabilities is None:
            raise InputError(
                "This model answers with a number and no classes, so no slot's effect on its answer is told."
            )
        answer = int(reading.probabilities[0].argmax()) if answer is None else answer
        ablated = model.shares(step.logits)[:, answer].view(len(moments), -1).cpu().numpy()
        unchanged = np.full(len(moments), float(reading.probabilities[0, answer]))
        fall = unchanged[:, None] - ablated
    else:
        ablated, unchanged = _later_loss(losses, reading, moments, len(each))
        fall = ablated - unchanged[:, None]
    return Effects(fall[:, :-1], fall[:, -1], np.array(moments), unchanged, answer, to, alone)


MOST_SEGMENTS = 24  # rows of a long run's map, evenly spaced


def slot_map(model: Model, trace: Trace, *, runs: ReadFresh = read_fresh, progress: Progress | None = None) -> dict:
    """Make both maps of a recorded run, as JSON values: without one slot, and with one slot alone.

    "to": what ablated slots become, "mean" or "initial" as in `rmt.causes.samples.baseline`. "blank": the answers of
    fresh runs with other facts whose whole memory is ablated before the last segment. runs: reads the fresh runs, see
    `rmt.causes.samples.FreshRuns`. progress counts both maps.
    """
    reading, n = recalled(model, trace), trace.n_segments
    before, after = (progress and (lambda *_, at=at: progress(at, 1)) for at in (0, 1))  # while other runs are read
    to, means = baseline(model, n, runs=runs, progress=before)
    segments = sorted({i * (n - 1) // max(min(n, MOST_SEGMENTS) - 1, 1) for i in range(min(n, MOST_SEGMENTS))})
    answer = trace.meta["label"] if trace.meta["label"] is not None else None
    parts = []
    for half in (False, True):
        update = progress and (lambda done, total, half=half: progress(done + half * total, 2 * total))
        parts.append(
            effects(model, reading, to=to, alone=half, means=means, segments=segments, answer=answer, progress=update)
        )
    one, alone = parts
    return {
        "to": to,
        "answer": trace.classes[one.answer] if one.answer is not None else None,
        "segments": one.segments.tolist(),
        "unchanged": one.unchanged.round(4).tolist(),
        "without": one.map.round(4).tolist(),
        "alone": alone.map.round(4).tolist(),
        "whole": one.whole.round(4).tolist(),
        "blank": blank(model, [Ablate(n - 1, to=to)], n, means=means, runs=runs, progress=after),
    }


def _ablated(model: Model, state: State, i: int, each: Sequence[tuple], to: str, means: Tensor | None) -> State:
    """Make one row for each choice of slots, ablated before segment i."""
    slots = model.cell.slots(state)
    other = without(model.cell, Ablate(i, to=to), i, slots, means)
    return _join(*(model.cell.put(state, chosen(slots, other, which)) for which in each))


def _later_loss(
    losses: list[Tensor], reading: Reading, moments: Sequence[int], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Mean loss from each of the segments on, of each row (len(at), n), and of the run as it was (len(at),)."""
    starts, ablated, unchanged = reading.starts, [], []
    for k, s in enumerate(moments):
        rows = [part[k * n : (k + 1) * n] for part in losses[s - moments[0] :]]
        ablated.append(torch.cat(rows, dim=1).nanmean(1).cpu().numpy())
        unchanged.append(float(reading.loss[0, starts[s] :].double().nanmean()))
    return np.array(ablated), np.array(unchanged)


def _join(*states: State | None) -> State:
    """Join the rows of several states; None is skipped."""
    given = [state for state in states if state is not None]
    return given[0] if len(given) == 1 else map_state(lambda *parts: torch.cat(parts), *given)


def _size(state: State) -> int:
    """The number of rows of a state."""
    while not isinstance(state, Tensor):
        state = state[0]
    return len(state)


def _repeat(segment: Segment, n: int) -> Segment:
    return Segment(segment.ids.expand(n, -1))


@torch.inference_mode()
def transplant_score(
    model: Model, *, distance: int, pairs: int = 200, seed: int = 0, batch: int = 50, progress: Progress | None = None
) -> dict:
    """Exchange memory between pairs of fresh runs with different answers, and count whose answer the model gives.

    Both runs read their fact in the first segment and are asked `distance` segments later; the donor's memory replaces
    the receiver's just after the first segment, so that it has to last through the receiver's text. Returns
    {"distance", "pairs", "donor", "receiver"}: the last two are the shares of pairs with that run's answer.
    """
    rng = np.random.default_rng([INTERVENTION, seed, distance])
    right, (process, processes, _) = [], this_process()
    for done in range(0, pairs, batch):
        n = min(batch, pairs - done)
        runs, answers = _pairs(model, rng, n, distance)
        if done // batch % processes == process:  # other processes' batches are drawn, too, to keep the seeds equal
            donor, receiver = (read(model, ids) for ids in runs)
            changed = intervene(model, receiver, [Transplant(1, donor="other")], donors={"other": donor})
            answered = changed.probabilities.argmax(-1).cpu().numpy()
            right.append([int((answered == answer).sum()) for answer in answers])
        if progress:
            progress(done + n, pairs)
    donor_right, receiver_right = np.sum(together(right), axis=0)
    return {
        "distance": distance,
        "pairs": pairs,
        "donor": float(donor_right / pairs),
        "receiver": float(receiver_right / pairs),
    }


def _pairs(model: Model, rng: np.random.Generator, n: int, distance: int) -> tuple[list[Tensor], list[np.ndarray]]:
    """Make n pairs of documents, with the fact in the first segment and the question in segment `distance` + 1."""
    sampler, length = sampler_of(model), model.segment_length
    runs, answers = ([], []), ([], [])
    for _ in range(n):
        story = sampler.task.story(rng)
        others = (other_story(rng, sampler.task, story), story)
        for ids, classes, teller in zip(runs, answers, others, strict=True):
            question = sampler.question(teller)
            first = sampler.tell(rng, teller, length)[0]
            ids.append(np.concatenate([first, sampler.filler(rng, distance * length - len(question)), question]))
            classes.append(teller.answer)
    return [torch.from_numpy(np.stack(ids)).to(model.device) for ids in runs], [np.array(c) for c in answers]


def other_story(rng: np.random.Generator, task, story: Story) -> Story:
    """Draw a story with the same question and another answer."""
    while True:
        other = task.story(rng)
        if other.question == story.question and other.answer != story.answer:
            return other
