"""Readings and interventions: change a run's memory, text or attention, and read again from the first change on.

A `Reading` is a run that was read; `intervene` returns another one and never changes the first. The part before the
first change is shared between them, as states are values.

    reading = read(model, ids)
    other = intervene(model, reading, parse("ablate:zero@4/1,2"))
    reading.probabilities, other.probabilities  # and ask(model, other.states, question) for any moment
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from rmt.errors import InputError
from rmt.intervene.block import Blocking
from rmt.intervene.changes import END, Ablate, Block, Change, Freeze, Noise, Reset, Timed, Transplant, edits, timed
from rmt.intervene.rewrite import edited
from rmt.memory.base import MemoryCell, State, Step, map_state
from rmt.model import Model
from rmt.model.ask import ask_state, states_at_once
from rmt.model.unroll import unroll
from rmt.recorder.run import fingerprint
from rmt.text.segments import Segment, split
from rmt.trace import Trace

Progress = Callable[[int, int], None]
RESET = Reset(0, END)  # the control: every segment is read with the initial memory


@dataclass(frozen=True)
class Reading:
    """Documents of one length that a model has read.

    ids (B, Tn); states (S + 1): the initial state, then the one after each segment; probabilities (B, C) of a
    classifier's answers after the last segment; loss (B, Tn) of a language model, NaN where nothing was scored.
    segment_length: of the segments that the text was cut into. first: segments before it were not read but are shared
    with the original. standing: changes in this reading and in all that are made from it, such as a control's reset.
    """

    ids: Tensor
    segments: tuple[Segment, ...]
    states: tuple[State, ...]
    segment_length: int
    probabilities: Tensor | None = None
    loss: Tensor | None = None
    first: int = 0
    standing: tuple[Change, ...] = ()

    @property
    def starts(self) -> list[int]:
        """The first token of each segment, and the end of the last."""
        return np.cumsum([0, *(segment.ids.shape[1] for segment in self.segments)]).tolist()


@torch.inference_mode()
def read(
    model: Model, ids: Tensor | Sequence[int], *, standing: Sequence[Timed] = (), progress: Progress | None = None
) -> Reading:
    """Read documents ids (B, Tn), or one (Tn,), from the initial state.

    standing: changes of memory here and in all readings made from this one; (RESET,) is the reset control.
    """
    ids, length = _ids(model, ids), model.segment_length
    start = (model.cell.initial(len(ids)),)
    blank = Reading(ids, _cut(model, ids, length), start, length, standing=tuple(standing))
    return _go(model, blank, _Apply(model, blank, blank.standing, {}, None), model.backbone, progress)


def recalled(model: Model, trace: Trace) -> Reading:
    """Make a reading of a recorded run from its stored memory, without reading. Raises InputError for another model."""
    if fingerprint(model) != trace.meta["made_by"]["fingerprint"] or not trace.complete:
        raise InputError(
            f"This run was made with {trace.meta['made_by']['checkpoint']} and other weights, or is not finished."
        )
    slots = torch.tensor(np.array(trace.memory), device=model.device, dtype=next(model.parameters()).dtype)
    past = model.cell.past
    states = [model.cell.restore(slots[None, : i + 1] if past else slots[i : i + 1]) for i in range(len(slots))]
    states = tuple(map_state(Tensor.contiguous, state) for state in states)  # a view's products may differ in a bit
    ids = torch.tensor(np.array(trace.arrays["ids"]), device=model.device).long()[None]
    probabilities, loss = (
        torch.tensor(np.array(trace.arrays[name]), device=model.device) for name in ("probabilities", "loss")
    )
    standing = (RESET,) if trace.meta["control"] == "reset" else ()
    answers = probabilities[None] if trace.classes else None
    length = trace.meta["segment_length"]
    return Reading(ids, _cut(model, ids, length), states, length, answers, loss[None], len(states) - 1, standing)


@torch.inference_mode()
def intervene(
    model: Model,
    reading: Reading,
    changes: Sequence[Change],
    *,
    donors: Mapping[str, Reading] | None = None,
    means: Tensor | None = None,
    around: Callable = lambda backbone: backbone,
    seen: Callable[[int, Segment, Step, State], None] | None = None,
    progress: Progress | None = None,
) -> Reading:
    """Read again with these changes, made in their order before each segment.

    Only the segments from the first change on are read. donors: the runs that transplants name. means (S + 1, M, D'):
    slots before each segment, mean over other runs (`rmt.causes.samples.usual`), for ablation to the mean.
    around: wraps the backbone, such as with a Recorder. After each segment seen(i, segment, step, state) and
    progress(done, total) are called. Raises InputError for a change that does not fit the run.
    """
    ids, segments = reading.ids, reading.segments
    if edits(changes):
        ids = _ids(model, edited(model, _only(reading), edits(changes))[0])
        segments = _cut(model, ids, reading.segment_length)
    _check(model, len(segments), timed(changes))
    first = min([_differs(reading.segments, segments), *(change.first for change in timed(changes))])
    if first >= len(segments) == len(reading.segments):
        return replace(reading, first=first)
    start = replace(reading, ids=ids, segments=segments, states=reading.states[: first + 1], first=first)
    backbone = Blocking(model.backbone, [c for c in changes if isinstance(c, Block)])
    acting = [*reading.standing, *(c for c in timed(changes) if not isinstance(c, Block))]
    apply = _Apply(model, reading, acting, donors or {}, means)

    def before(i: int, state: State) -> State:
        backbone.segment = i
        return apply(i, state)

    return _go(model, start, before, around(backbone), progress, seen)


def _go(model: Model, start: Reading, before, backbone, progress: Progress | None, seen=None) -> Reading:
    """Read the segments from `start.first` on; states and loss before it are in `start`."""
    first, segments, head = start.first, start.segments, model.backbone.head
    states, losses, answers = list(start.states), [], None
    rest = unroll(
        model.cell, backbone, segments[first:], state=states[-1], before=lambda i, state: before(first + i, state)
    )
    for i, (segment, step, state) in enumerate(rest, first + 1):
        states.append(state)
        losses.append(torch.full(segment.ids.shape, torch.nan, device=segment.ids.device))
        if segment.labels is not None:
            losses[-1] = step.output.token_loss(segment.labels)
        if head == "classify" and model.about.answers != "score" and i == len(segments):
            answers = model.shares(step.logits)
        if seen:
            seen(i - 1, segment, step, state)
        if progress:
            progress(i - first, len(segments) - first)
    earlier = [] if start.loss is None else [start.loss[:, : start.starts[first]]]
    return replace(start, states=tuple(states), probabilities=answers, loss=torch.cat([*earlier, *losses], dim=1))


class _Apply:
    """The function (segment, state) -> state that applies the changes of memory, one after another."""

    def __init__(self, model: Model, reading: Reading, changes: Sequence[Timed], donors: Mapping, means: Tensor | None):
        self.model, self.reading, self.changes, self.donors, self.means = model, reading, changes, donors, means
        self.held: dict[int, State] = {}  # number of a freeze -> the state that its slots keep

    def __call__(self, i: int, state: State) -> State:
        for number, change in enumerate(self.changes):
            if change.covers(i):
                state = self._one(number, change, i, state)
        return state

    def _one(self, number: int, change: Timed, i: int, state: State) -> State:
        cell, batch = self.model.cell, len(self.reading.ids)
        if isinstance(change, Reset):
            return self._mix(change, state, cell.initial(batch))
        if isinstance(change, Freeze):
            source = self.reading.states[i] if change.own else self.held.setdefault(number, state)
            return self._mix(change, state, source)
        if isinstance(change, Transplant):
            return self._mix(change, state, self._donated(change, i))
        slots = cell.slots(state)
        if isinstance(change, Noise):
            size = slots.float().square().mean(-1, keepdim=True).sqrt()
            random = torch.Generator().manual_seed(change.seed + i)
            other = slots + change.scale * size * torch.randn(slots.shape, generator=random).to(slots)
        else:
            other = without(cell, change, i, slots, self.means)
        return cell.put(state, chosen(slots, other, change.slots))

    def _mix(self, change: Timed, state: State, other: State) -> State:
        """The other state; where the change names slots, this state with those slots of the other."""
        if not change.slots:
            return other
        cell = self.model.cell
        return cell.put(state, chosen(cell.slots(state), cell.slots(other), change.slots))

    def _donated(self, change: Transplant, i: int) -> State:
        """The donor's state for segment i. Raises InputError where there is no such donor or moment."""
        if change.donor not in self.donors:
            raise InputError(f"There is no run “{change.donor[:60]}” to take memory from; choose one that is here.")
        states = self.donors[change.donor].states
        moment = i if change.at is None else change.at + i - change.first
        if moment >= len(states):
            raise InputError(
                f"The run “{change.donor[:60]}” has memory at {len(states) - 1} boundaries, not {moment + 1}."
            )
        return states[moment]


def without(cell: MemoryCell, change: Ablate, i: int, slots: Tensor, means: Tensor | None) -> Tensor:
    """The values (B, M, D') of slots before segment i when all of them are ablated."""
    if change.to == "zero":
        return torch.zeros_like(slots)
    if change.to == "initial":
        return cell.slots(cell.initial(len(slots)))
    if means is None:
        raise InputError("The mean over runs needs other runs; give means, as rmt.causes.samples.usual makes them.")
    return means[min(i, len(means) - 1)].to(slots).expand_as(slots)


def chosen(slots: Tensor, other: Tensor, which: Sequence[int]) -> Tensor:
    """Replace the slots named in `which` by those of `other`: (B, M, D'); all of them where none is named."""
    if not which:
        return other
    result = slots.clone()
    result[:, list(which)] = other[:, list(which)]
    return result


@torch.inference_mode()
def ask(model: Model, states: Sequence[State], question: Tensor) -> Tensor:
    """Answer probabilities if the question (Tq,) or (B, Tq) came after each of n states of B runs: (B, n, C).

    The states are not changed. Raises InputError where the model does not answer with classes.
    """
    if model.backbone.head != "classify" or model.about.answers == "score":
        raise InputError("This model does not answer questions; its loss on the text tells what it knows.")
    question = question[None] if question.dim() == 1 else question
    n_rows = _rows(states[0])
    at_once = states_at_once(model, n_rows)
    probabilities = []
    for i in range(0, len(states), at_once):
        some = states[i : i + at_once]
        joined = map_state(lambda *parts: torch.cat(parts), *some)
        words = question.expand(n_rows, -1).repeat(len(some), 1)
        probabilities.append(ask_state(model, joined, words).unflatten(0, (len(some), n_rows)))
    return torch.cat(probabilities).transpose(0, 1)


def _check(model: Model, n_segments: int, changes: Sequence[Timed]) -> None:
    """Raise InputError for a change of a segment, slot, layer or head that the run or the model does not have."""
    n_slots = model.cell.slots(model.cell.initial(1)).shape[1]
    for change in changes:
        if change.first >= n_segments:
            raise InputError(f"The run has {n_segments} segments, so nothing comes after {change}.")
        if max(change.slots, default=-1) >= n_slots or not n_slots:
            raise InputError(f"The memory has {n_slots} slots, so {change} cannot be made.")
        layer, head = getattr(change, "layer", None), getattr(change, "head", None)
        if (layer or 0) >= model.backbone.n_layers or (head or 0) >= model.backbone.n_heads:
            sizes = f"{model.backbone.n_layers} layers of {model.backbone.n_heads} heads"
            raise InputError(f"The model has {sizes}, so {change} cannot be made.")


def _differs(before: Sequence[Segment], after: Sequence[Segment]) -> int:
    """The first segment whose ids or labels differ; the number of segments where none does."""
    if before is after:
        return len(after)
    same = [torch.equal(a.ids, b.ids) and _equal(a.labels, b.labels) for a, b in zip(before, after, strict=False)]
    return same.index(False) if False in same else len(same)


def _equal(a: Tensor | None, b: Tensor | None) -> bool:
    return a is b or (a is not None and b is not None and torch.equal(a, b))


def _cut(model: Model, ids: Tensor, length: int) -> tuple[Segment, ...]:
    labels = ids if model.backbone.head == "lm" else None
    return tuple(split(ids, length, labels=labels, alignment=model.alignment))


def _ids(model: Model, ids) -> Tensor:
    ids = torch.as_tensor(np.asarray(ids) if not isinstance(ids, Tensor) else ids).to(model.device).long()
    return ids[None] if ids.dim() == 1 else ids


def _only(reading: Reading) -> np.ndarray:
    """The ids of a reading of one document. Raises InputError for several."""
    if len(reading.ids) > 1:
        raise InputError("Text is changed in one document at a time; read them one by one.")
    return reading.ids[0].cpu().numpy()


def _rows(state: State) -> int:
    """B of a state."""
    while not isinstance(state, Tensor):
        state = state[0]
    return len(state)
