"""Attribution of an output through the recurrence, with captum.

The output is one number: a classifier's logit of a class after the last segment, or a language model's logit of the
token that follows one of the last segment's. Everything before the last segment reaches it through memory alone.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from rmt.errors import InputError
from rmt.intervene import Progress, Reading
from rmt.memory.base import choose, map_state
from rmt.model import Model
from rmt.model.unroll import unroll
from rmt.text.segments import Segment

GAP = 0.01  # the largest completeness gap, as a share of the output difference
FIRST, CUT = 8, 4  # pieces of the path at first, and pieces that one piece is cut into later
STEPS, MOST_STEPS = 4, 4096  # gradients a piece, and at most in all
ROWS = 16  # interpolated documents, or ablated ones, at a time


@dataclass(frozen=True)
class Output:
    """The output to explain: a class's logit, or the logit of `token` after position `at` of the last segment."""

    token: int
    at: int | None = None

    def of(self, step) -> Tensor:
        """The logit (B,) in the step of the last segment."""
        return step.logits[:, self.token] if self.at is None else step.logits[:, self.at, self.token]


def output_of(model: Model, reading: Reading, choice: int | None = None) -> Output:
    """Choose the output to explain: class `choice`, by default the answer.

    In a language model it is the token after position `choice` of the last segment, by default the segment's last
    token. Raises InputError for more than one run, and where there is no such output.
    """
    if len(reading.ids) > 1 or model.backbone.head not in ("classify", "lm"):
        raise InputError("One output of one run is explained, of a model that answers or predicts.")
    if model.backbone.head == "classify":
        choice = int(reading.probabilities[0].argmax()) if choice is None else choice
        if not 0 <= choice < reading.probabilities.shape[1]:
            raise InputError(f"There is no class {choice}; the model has {reading.probabilities.shape[1]}.")
        return Output(choice)
    last = reading.segments[-1].ids[0]
    at = len(last) - 2 if choice is None else choice
    if not 0 <= at < len(last) - 1:
        raise InputError(f"The last segment has {len(last)} tokens, of which no other follows position {at}.")
    return Output(int(last[at + 1]), at)


@torch.inference_mode()
def by_segment(model: Model, reading: Reading, output: Output, *, progress: Progress | None = None) -> np.ndarray:
    """How far the output falls when memory skips a segment: (S,).

    captum's FeatureAblation with a switch for each segment but the last; with all of them off, the last segment is read
    with the initial memory. The last entry is the output in that case, from the local text alone.
    """
    earlier, last = reading.segments[:-1], reading.segments[-1]
    n = len(earlier)
    count = _Counter(progress, n + 1)

    def forward(switches: Tensor) -> Tensor:  # (B, n) -> (B,)
        rows = len(switches)
        state = model.cell.initial(rows)
        for i, segment in enumerate(earlier):
            if _resets(reading):
                state = model.cell.initial(rows)
            if not switches[:, i].any():
                continue
            after = model.cell.step(model.backbone, _rows(segment, rows), state)[1]
            state = after if switches[:, i].all() else choose(switches[:, i] > 0.5, after, state)
        if _resets(reading):
            state = model.cell.initial(rows)
        count(rows)
        return output.of(model.cell.step(model.backbone, _rows(last, rows), state)[0])

    falls = np.zeros(n + 1)
    if n:
        ones = torch.ones(1, n, device=model.device)
        at_once = 1 if model.cell.past else ROWS  # states of different pasts do not fit beside each other
        falls[:-1] = _captum().FeatureAblation(forward).attribute(ones, perturbations_per_eval=at_once)[0].cpu().numpy()
    alone = model.cell.step(model.backbone, last, model.cell.initial(1))[0]
    falls[-1] = float(output.of(alone))
    return falls


@torch.inference_mode()
def by_slot(model: Model, reading: Reading, output: Output, *, to: Tensor | None = None) -> np.ndarray:
    """How far the output falls when a slot before the last segment becomes its initial value, or `to` (M, D'): (M,)."""
    cell, last = model.cell, reading.segments[-1]
    slots = cell.slots(_before_last(model, reading))
    base = cell.slots(cell.initial(1)) if to is None else to[None].to(slots)
    if not slots.shape[1]:
        return np.zeros(0)

    def forward(rows: Tensor) -> Tensor:  # (B, M, D') -> (B,)
        state = map_state(lambda t: t.expand(len(rows), *t.shape[1:]), _before_last(model, reading))
        return output.of(cell.step(model.backbone, _rows(last, len(rows)), cell.put(state, rows))[0])

    mask = torch.arange(slots.shape[1], device=slots.device)[None, :, None].expand_as(slots)
    method = _captum().FeatureAblation(forward)
    falls = method.attribute(slots, baselines=base, feature_mask=mask, perturbations_per_eval=ROWS)
    return falls[0, :, 0].cpu().numpy()


@dataclass(frozen=True)
class Tokens:
    """Integrated gradients over a document's embeddings, back-propagated through memory.

    values (Tn,): each token's part of output - baseline. gap: the differences between gradients and the output's change
    on each piece of the path, summed, as a share of output - baseline. steps: gradients taken.
    """

    values: np.ndarray
    output: float
    baseline: float
    gap: float
    steps: int


def by_token(
    model: Model,
    reading: Reading,
    output: Output,
    *,
    gap: float = GAP,
    most_steps: int = MOST_STEPS,
    progress: Progress | None = None,
) -> Tokens:
    """Attribute the output to every token of the document with captum's IntegratedGradients, in adaptive steps.

    The path is a straight line from a document whose every embedding is the vocabulary's mean. A memory that latches
    can change the output within a thousandth of it, which equal steps would miss. So the path is cut into pieces, whose
    integrals add up, and pieces where the gradients differ from the output's change are cut again, until the gap is
    small enough or `most_steps` are taken. progress(done, total) counts steps.
    """
    rows, count = Rows(model, reading), _Counter(progress, most_steps)
    with torch.no_grad():
        whole = model.backbone.embed(reading.ids)  # (1, Tn, D)
        base = model.backbone.embed(torch.arange(_vocabulary(model), device=model.device)).mean(0).expand_as(whole)
    method = _captum().IntegratedGradients(lambda embedded: rows(embedded, output))

    def embedded_at(points: Tensor) -> Tensor:
        return torch.lerp(base, whole, points.to(whole)[:, None, None])

    @torch.no_grad()
    def outputs(points: Tensor) -> Tensor:
        return torch.cat([rows(embedded_at(batch), output) for batch in points.split(ROWS)]).double().cpu()

    def pieces(edges: Tensor) -> tuple[Tensor, Tensor]:  # (n, 2) -> values (n, Tn) and by how much each misses (n,)
        parts = []
        for batch in edges.split(ROWS):
            part = method.attribute(
                embedded_at(batch[:, 1]), embedded_at(batch[:, 0]), n_steps=STEPS, internal_batch_size=ROWS
            )
            parts.append(part.sum(-1).detach().double().cpu())
            count(STEPS * len(batch))
        values = torch.cat(parts)
        return values, (values.sum(1) - (outputs(edges[:, 1]) - outputs(edges[:, 0]))).abs()

    low, top = outputs(torch.tensor([0.0, 1.0], dtype=torch.float64)).tolist()
    allowed = gap * max(abs(top - low), 1e-12)
    edges = _cut(torch.tensor([[0.0, 1.0]], dtype=torch.float64), FIRST)
    values, missed = pieces(edges)
    while missed.sum() > allowed and count.done + STEPS * CUT <= most_steps:
        worst = missed >= min(float(missed.max()), allowed / len(missed))
        worst[missed.argsort(descending=True)[(most_steps - count.done) // (STEPS * CUT) :]] = False
        finer = _cut(edges[worst], CUT)
        more, still = pieces(finer)
        edges, values, missed = (
            torch.cat([old[~worst], new]) for old, new in ((edges, finer), (values, more), (missed, still))
        )
    return Tokens(values.sum(0).numpy(), top, low, float(missed.sum()) / max(abs(top - low), 1e-12), count.done)


def _captum():
    """captum's attribution methods. Raises InputError where the package is missing."""
    try:
        from captum import attr
    except ImportError:
        raise InputError("Attribution is by the package captum; run: pip install captum==0.9.0") from None
    return attr


def _cut(edges: Tensor, n: int) -> Tensor:
    """Cut each piece (., 2) of the path into n equal ones."""
    points = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    inner = edges[:, :1] + (edges[:, 1:] - edges[:, :1]) * points  # (., n + 1)
    return torch.stack([inner[:, :-1], inner[:, 1:]], dim=-1).flatten(0, 1)


class Rows:
    """Read documents given as embeddings from start to end: embeddings (B, Tn, D) -> output (B,).

    A cell embeds ids itself. So the ids here are positions in the document, offset by the vocabulary's size, and a
    Backbone around the Backbone looks those up in the given embeddings.
    """

    def __init__(self, model: Model, reading: Reading):
        self.model, self.reading = model, reading
        self.offset = _vocabulary(model)
        starts = reading.starts
        self.segments = [
            Segment(torch.arange(a, b, device=model.device)[None] + self.offset) for a, b in pairwise(starts)
        ]

    def __call__(self, embedded: Tensor, output: Output, *, first: int = 0) -> Tensor:
        """first: the segment to begin with, where all documents are the reading's own before it."""
        rows = len(embedded)
        backbone = _Embedding(self.model.backbone, embedded, self.offset)
        initial = self.model.cell.initial(rows)
        before = (lambda i, state: initial) if _resets(self.reading) else None
        state = map_state(lambda t: t.expand(rows, *t.shape[1:]), self.reading.states[first]) if first else initial
        segments = [_rows(segment, rows) for segment in self.segments[first:]]
        for _, step, _ in unroll(self.model.cell, backbone, segments, state=state, before=before):  # noqa: B007
            pass
        return output.of(step)


class _Embedding:
    """A Backbone around a Backbone that looks up ids from `offset` on in embeddings (B, Tn, D)."""

    def __init__(self, backbone, embedded: Tensor, offset: int):
        self.backbone, self.embedded, self.offset = backbone, embedded, offset

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    def __call__(self, *args, **options):
        return self.backbone(*args, **options)

    def embed(self, ids: Tensor) -> Tensor:
        from_document = ids >= self.offset
        if not from_document.any():
            return self.backbone.embed(ids)
        positions = (ids - self.offset).clamp_min(0)[..., None].expand(-1, -1, self.embedded.shape[-1])
        from_vocabulary = self.backbone.embed(ids.where(~from_document, 0))
        return torch.where(from_document[..., None], self.embedded.gather(1, positions), from_vocabulary)


@torch.inference_mode()
def local_and_memory(model: Model, reading: Reading, *, to: Tensor | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Split the logits (C,) into the local part and the part that memory adds; their sum is the output.

    The local part: the last segment read with the initial memory, or with `to` (M, D'), as in `by_slot`. In a language
    model both are log probabilities of each next token of the last segment (T - 1,).
    """
    last, initial = reading.segments[-1], model.cell.initial(1)
    base = initial if to is None else model.cell.put(initial, to[None].to(model.cell.slots(initial)))
    state = _before_last(model, reading)
    with_, without = (model.cell.step(model.backbone, last, s)[0].logits[0] for s in (state, base))
    if model.backbone.head == "lm":
        targets = last.ids[0, 1:, None]
        with_, without = (t[:-1].float().log_softmax(-1).gather(1, targets)[:, 0] for t in (with_, without))
    return without.float().cpu().numpy(), (with_ - without).float().cpu().numpy()


def _before_last(model: Model, reading: Reading):
    """The state before the last segment."""
    return model.cell.initial(1) if _resets(reading) else reading.states[-2]


def _resets(reading: Reading) -> bool:
    """Whether the reading is of the reset control."""
    return bool(reading.standing)


def _rows(segment: Segment, n: int) -> Segment:
    return Segment(segment.ids.expand(n, -1))


def _vocabulary(model: Model) -> int:
    return len(model.backbone.embeddings)


class _Counter:
    """A counter that reports rows read so far to `progress`."""

    def __init__(self, progress: Progress | None, total: int):
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, rows: int) -> None:
        self.done += rows
        if self.progress:
            self.progress(min(self.done, self.total), self.total)
