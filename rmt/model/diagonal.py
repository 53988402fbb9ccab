"""Diagonal batching: where memory is per layer, segment t's layer l and segment t + 1's layer l - 1 run at once.

Sivtsov et al. 2025 (arXiv 2506.05229). Layer l depends on the past through its own memory alone, which is ready as soon
as layer l has read the segment before. So S segments through L layers take S + L - 1 steps of up to L stacked layers,
instead of S L layers one after the other. The numbers are equal up to rounding; kernels are fewer and larger, which
pays where one layer leaves a device idle.
"""

import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain

import torch
from torch import Tensor, nn

from rmt.backbone.huggingface import HFBackbone
from rmt.backbone.layerwise import FusedAttention, Layerwise, Stacked
from rmt.backbone.protocol import Backbone, Layout
from rmt.memory.base import MemoryCell, State, Step
from rmt.model.unroll import unroll
from rmt.text.segments import Segment

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3}  # of the largest number; in half precision:
HALF = 0.05


def diagonal(
    cell: MemoryCell, backbone: Backbone, segments: Sequence[Segment], *, state: State | None = None
) -> Iterator[tuple[Segment, Step, State]]:
    """`unroll` for inference, with layers of neighbouring segments run at once where the cell's memory is per layer.

    Yields the items of `unroll`, L - 1 segments after they are read. It holds a second copy of the weights, and L
    states. Where it is not possible (see `possible`), and from the first segment with another shape or padding on,
    `unroll` reads. The first segment is checked against the plain loop; if it differs, `unroll` reads all, with a
    warning.
    """
    coming = iter(segments)
    first = next(coming, None)
    if first is None:
        return
    state = cell.initial(len(first.ids)) if state is None else state
    if not possible(cell, backbone) or first.mask is not None:
        yield from unroll(cell, backbone, chain([first], coming), state=state)
        return
    alike = _Alike(chain([first], coming))
    for i, (segment, step, after) in enumerate(_run(cell, backbone, alike, state)):
        if i == 0 and (gap := _gap(step, after, *cell.step(backbone, segment, state))):
            warnings.warn(
                f"layers run at once give other numbers than the plain loop (by up to {gap:.3g}), so they are not",
                stacklevel=2,
            )
            yield from unroll(cell, backbone, alike.everything(), state=state)
            return
        alike.read.clear()
        yield segment, step, after
        state = after
    if alike.rest:
        yield from unroll(cell, backbone, chain(alike.rest, coming), state=state)


def possible(cell: MemoryCell, backbone: Backbone) -> bool:
    """Whether layers can run at once: memory per layer, no gradient or dropout, layers of one structure."""
    if not cell.per_layer or not isinstance(backbone, HFBackbone) or torch.is_grad_enabled() or backbone.training:
        return False
    layers = [{name: (type(m), m.extra_repr()) for name, m in layer.named_modules()} for layer in backbone.layers]
    return backbone.fused and len(layers) > 1 and all(layer == layers[0] for layer in layers)


class _Alike:
    """An iterator over the first segments of one shape without padding.

    read: those yielded so far. rest: the first other segment, if any.
    """

    def __init__(self, segments: Iterator[Segment]):
        self.segments, self.read, self.rest, self.shape = segments, [], [], None

    def __iter__(self) -> Iterator[Segment]:
        for segment in self.segments:
            if segment.ids.shape != (self.shape or segment.ids.shape) or segment.mask is not None:
                self.rest = [segment]
                return
            self.shape = segment.ids.shape
            self.read.append(segment)
            yield segment

    def everything(self) -> Iterator[Segment]:
        """All segments, with those that were yielded."""
        return chain(self.read, self.rest, self.segments)


class _LayerStep(nn.Module):
    """One layer with its own memory."""

    def __init__(self, memory: MemoryCell, layer: nn.Module):
        super().__init__()
        self.memory, self.layer = memory, layer

    def forward(self, hidden: Tensor, *state: Tensor, write: slice, args: tuple, kwargs: dict):
        hidden = self.memory.before_layer(hidden, state)
        output = self.layer(hidden, *args, kernel=FusedAttention.apply, **kwargs)
        hidden = output if isinstance(output, Tensor) else output[0]
        return hidden, *self.memory.after_layer(hidden[:, write], state)


def _run(cell, backbone, segments, state) -> Iterator[tuple[Segment, Step, State]]:
    """Read all segments; each round runs all layers that are ready."""
    n_layers, open_model = backbone.n_layers, Layerwise(backbone)
    layers = Stacked([_LayerStep(cell.of_layer(i), layer) for i, layer in enumerate(open_model.layers)])
    open_model.stand_in.as_tuple = _gives_tuple(backbone)
    memory = [part.transpose(0, 1).clone() for part in state]  # (L, B, ...) each
    coming, in_progress, given = iter(segments), deque(), None
    flow, first = None, 0  # the inputs (n, B, N, D) of the layers from `first` on
    while True:
        segment = next(coming, None)
        if segment is not None:
            x, layout, mask, positions = cell.augment(backbone, segment)
            options = {"layout": layout, "mask": mask, "positions": positions}
            hidden, *given = open_model.enter(x, **options)
            in_progress.append((segment, x, options, []))
            flow = hidden[None] if flow is None else torch.cat([hidden[None], flow])
        else:
            first += 1  # the layers before have read all segments
        if not in_progress:
            return
        places = slice(first, first + len(flow))
        about = {"write": layout.write, "args": given[0], "kwargs": given[1]}
        flow, *after = layers(places, flow, *(part[places] for part in memory), **about)
        for part, new in zip(memory, after, strict=True):
            part[places] = new
        for n, (*_, states) in enumerate(reversed(in_progress)):  # the latest segment is at the lowest layer
            states.append([new[n] for new in after])
        if places.stop == n_layers:
            segment, x, options, states = in_progress.popleft()
            output = open_model.leave(flow[-1], x, **options)
            flow = flow[:-1]
            after = tuple(torch.stack(part, dim=1) for part in zip(*states, strict=True))
            yield segment, Step(output, options["layout"]), after


def _gives_tuple(backbone: HFBackbone) -> bool:
    """Whether the layers of a trunk return tuples, as in older families."""
    tuples = []
    hook = backbone.layers[0].register_forward_hook(lambda _m, _a, output: tuples.append(isinstance(output, tuple)))
    try:
        x = backbone.embed(torch.zeros(1, 2, dtype=torch.long, device=next(backbone.parameters()).device))
        backbone(x, layout=Layout(slice(0, 2), slice(0, 0), slice(0, 0)))
    finally:
        hook.remove()
    return tuples[0]


def _gap(step: Step, state: State, plain: Step, plain_state: State) -> float:
    """The largest difference of the first segment's numbers, as a share of the largest number; 0 within tolerance."""
    pairs = [(step.output.hidden, plain.output.hidden), *zip(state, plain_state, strict=True)]
    worst = 0.0
    for value, expected in pairs:
        gap = float((value - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
        allowed = TOLERANCE.get(expected.dtype, HALF)
        if torch.is_autocast_enabled(expected.device.type):
            allowed = HALF
        worst = max(worst, gap if not gap <= allowed else 0.0)
    return worst
