"""The recurrent step captured once as a CUDA graph and replayed, while earlier results are copied to the host.

A step is hundreds of small kernels, and launching them takes the CPU longer than running them takes the GPU. Steps over
segments of one shape differ only in their numbers, so one step is captured and then launched as a whole. All its
tensors keep their addresses: the ids of the next segments, the state, which is changed in place, the number of the
step, which is counted on the device so that the host need not wait for it, and the values that are kept of a step.

On a device without capture (CAPTURE), `unroll` reads step by step; where a capture fails, or its first steps give other
numbers than the plain loop, the step is called instead of replayed. The results are always those of the plain loop.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice, takewhile

import numpy as np
import torch
from torch import Tensor

from rmt.backbone import Backbone
from rmt.memory.base import MemoryCell, State, Step, map_state
from rmt.model.unroll import unroll
from rmt.text.segments import Segment

WINDOW = 64  # segments whose ids are on the device at once
AHEAD = 8  # steps that the device may be ahead of the caller, who takes their results
WORTH = 64  # equal segments at least, so that a capture is worth its time
WARM_UP = 3  # calls before a capture, in which kernels are chosen and tested
CHECKED = 3  # steps of every capture that are compared with the plain loop, to the bit
TOLERANCE = 0.01  # in half precision: to this share of a tensor's largest number
ALIGNED = 16  # bytes
HALF = (torch.float16, torch.bfloat16)

Observe = Callable[[Segment, Step, State], dict[str, Tensor]]


class FixedStep:
    """A cell's step in fixed buffers: each call, without arguments, reads the next segment.

    state: changed in place. reset: a state that every segment is read with instead, if any. observe(segment, step,
    state): called at the end of each step; its values go into the ring (see `watch`).
    """

    def __init__(self, cell: MemoryCell, backbone: Backbone, like: Segment, state: State, reset: State | None = None):
        self.cell, self.backbone, self.reset = cell, backbone, reset
        self.ids = like.ids.new_zeros(WINDOW, *like.ids.shape)  # (WINDOW, B, T)
        self.labels = None if like.labels is None else torch.zeros_like(self.ids)
        self.number = torch.zeros(1, dtype=torch.long, device=like.ids.device)
        self.start, self.state = (map_state(_copy, state) for _ in range(2))
        self.step: Step | None = None  # the latest; a replay changes its numbers, not the object
        self.observe: Observe | None = None
        self.ring: Ring | None = None

    def watch(self, observe: Observe) -> "Ring":
        """From now on keep the values of `observe` of every step; return the ring that holds them."""
        self.observe, self.ring = observe, Ring(observe(*self.read()))
        return self.ring

    def fill(self, segments: Sequence[Segment]) -> None:
        """Copy the next segments into the buffers, WINDOW of them or, at the end, fewer."""
        self.ids[: len(segments)] = torch.stack([segment.ids for segment in segments])
        if self.labels is not None:
            self.labels[: len(segments)] = torch.stack([segment.labels for segment in segments])

    def read(self) -> tuple[Segment, Step, State]:
        """Read the next segment without advancing: (segment, step, state after it)."""
        place = self.number % WINDOW
        segment = Segment(*(t if t is None else t.index_select(0, place)[0] for t in (self.ids, self.labels)))
        return segment, *self.cell.step(self.backbone, segment, self.state if self.reset is None else self.reset)

    def __call__(self) -> None:
        segment, self.step, after = self.read()
        if self.ring:
            self.ring.put(self.observe(segment, self.step, after), self.number)
        map_state(Tensor.copy_, self.state, after)
        self.number += 1

    def rewind(self) -> None:
        """Go back to before the first step."""
        self.number.zero_()
        map_state(Tensor.copy_, self.state, self.start)


def _copy(tensor: Tensor) -> Tensor:
    return tensor.clone(memory_format=torch.contiguous_format)  # products of a view may differ in the last bit


def _capture(step: FixedStep) -> Callable[[], None]:
    """Capture the step as one CUDA graph; return the function that launches it."""
    device = step.number.device
    # Without autocast's cache, weights are rounded inside the graph: cached ones are freed when its context ends.
    half = {"enabled": torch.is_autocast_enabled("cuda"), "dtype": torch.get_autocast_dtype("cuda")}
    with (
        torch.cuda.device(device),
        torch.cuda.stream(torch.cuda.current_stream(device)),  # restored if the capture fails
        torch.autocast("cuda", **half, cache_enabled=False),
    ):
        side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                step()
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):  # other threads may use the GPU
            step()
    step.rewind()

    def replay() -> None:
        with torch.cuda.device(device):  # the current device may be another one
            graph.replay()

    return replay


CAPTURE: dict[str, Callable[[FixedStep], Callable[[], None]]] = {"cuda": _capture}  # by type of device


def launcher(step: FixedStep) -> Callable[[], None]:
    """Return the function that runs the step: its captured graph, or the step itself where that fails or is wrong.

    Call it when the buffers are filled and `watch` was called.
    """
    try:
        launch = CAPTURE[step.number.device.type](step)
        wrong = _difference(step, launch)
    except RuntimeError as error:  # out of memory too
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        warnings.warn(f"this step cannot be captured as a CUDA graph, so it runs slower: {reason}", stacklevel=2)
        launch, wrong = step, None
    if wrong:
        warnings.warn(
            f"the CUDA graph captured of this step gives other numbers than the plain loop ({wrong}), so the step runs "
            "without it and slower",
            stacklevel=2,
        )
        launch = step
    step.rewind()
    return launch


@torch.no_grad()
def _difference(step: FixedStep, launch: Callable[[], None]) -> str | None:
    """Compare the first launches with the plain loop: the first difference in words for a warning, None without one."""
    state = step.start
    for i in range(CHECKED):
        launch()
        segment = Segment(step.ids[i], None if step.labels is None else step.labels[i])
        plain, state = step.cell.step(step.backbone, segment, state if step.reset is None else step.reset)
        expected = {"hidden": plain.output.hidden} | dict(enumerate(_tensors(state)))
        replayed = {"hidden": step.step.output.hidden} | dict(enumerate(_tensors(step.state)))
        if step.ring:
            expected |= step.observe(segment, plain, state)
            replayed |= {name: part[i] for name, part in step.ring.parts.items()}
        half = torch.is_autocast_enabled(step.number.device.type) or plain.output.hidden.dtype in HALF
        for name, value in expected.items():
            same = (replayed[name] == value) | (replayed[name].isnan() & value.isnan())
            gap = (replayed[name] - value).abs().masked_fill(same, 0)
            allowed = TOLERANCE * value.nan_to_num().abs().amax() if half and value.numel() else 0
            if not (gap <= allowed).all():
                what = "its state" if isinstance(name, int) else f"its {name}"
                return f"{what} after step {i + 1} by up to {float(gap.max()):.3g}"
    return None


def _tensors(state: State) -> list[Tensor]:
    """The tensors of a state as a list."""
    tensors = []
    map_state(lambda tensor: tensors.append(tensor), state)
    return tensors


class Ring:
    """A ring buffer with the values of the last AHEAD steps: a row of bytes each on the device, copied to the host."""

    def __init__(self, like: dict[str, Tensor]):
        self.places, size = {}, 0  # name -> first byte, end, type, shape
        for name, tensor in like.items():
            end = size + tensor.numel() * tensor.element_size()
            self.places[name] = size, end, tensor.dtype, tensor.shape
            size = -(-end // ALIGNED) * ALIGNED
        device = next(iter(like.values())).device
        self.cuda = device.type == "cuda"
        self.rows = torch.zeros(AHEAD, size, dtype=torch.uint8, device=device)
        self.host = torch.zeros(AHEAD, size, dtype=torch.uint8, pin_memory=self.cuda)
        self.parts = {name: self._view(self.rows, name) for name in self.places}
        if self.cuda:
            self.stream = torch.cuda.Stream(device)
            self.copied = [torch.cuda.Event() for _ in range(AHEAD)]

    def _view(self, rows: Tensor, name: str) -> Tensor:
        """The values of one name as a view (rows, *shape)."""
        start, end, dtype, shape = self.places[name]
        return rows[:, start:end].view(dtype).unflatten(1, shape)

    def put(self, values: dict[str, Tensor], number: Tensor) -> None:
        """Keep the values of step `number` (1,); part of the captured step."""
        for name, value in values.items():
            self.parts[name].index_copy_(0, number % AHEAD, value[None])

    def send(self, i: int) -> None:
        """Start to copy the values of step i to the host; the next step does not wait for it."""
        i %= AHEAD
        if not self.cuda:
            self.host[i] = self.rows[i]
            return
        self.stream.wait_stream(torch.cuda.current_stream(self.rows.device))
        with torch.cuda.stream(self.stream):
            self.host[i].copy_(self.rows[i], non_blocking=True)
            self.copied[i].record(self.stream)

    def take(self, i: int) -> dict[str, np.ndarray]:
        """Wait for the copy of step i and return its values, which are valid until step i + AHEAD is sent."""
        i %= AHEAD
        if self.cuda:
            self.copied[i].synchronize()
        return {name: self._view(self.host[i : i + 1], name)[0].numpy() for name in self.places}


def fixed_step(
    cell: MemoryCell, backbone: Backbone, segments: Sequence[Segment], state: State, reset: State | None = None
) -> FixedStep | None:
    """Make the step over these equal segments, with the first in its buffers; None where no capture is worth it."""
    if len(segments) < WORTH or segments[0].mask is not None or segments[0].ids.device.type not in CAPTURE:
        return None
    step = FixedStep(cell, backbone, segments[0], state, reset)
    step.fill(segments[:WINDOW])
    after = step.read()[2]
    return step if _shapes(after) == _shapes(step.state) else None  # RMT-R's state grows, and so do caches at first


def _shapes(state: State) -> list[tuple[int, ...]]:
    return [tuple(tensor.shape) for tensor in _tensors(state)]


def observed(step: FixedStep, segments: Sequence[Segment], observe: Observe) -> Iterator[dict[str, np.ndarray]]:
    """Read equal segments; yield the values of `observe` of each, on the host, valid until the next is yielded.

    observe may depend on shapes but not on numbers, for which the host would have to wait.
    """
    ring, launch = step.watch(observe), launcher(step)
    for i in range(len(segments)):
        if i and i % WINDOW == 0:
            step.fill(segments[i : i + WINDOW])
        if i >= AHEAD:  # the row of step i - AHEAD is about to be overwritten
            yield ring.take(i - AHEAD)
        launch()
        ring.send(i)
    for i in range(max(len(segments) - AHEAD, 0), len(segments)):
        yield ring.take(i)


def fast_unroll(
    cell: MemoryCell, backbone: Backbone, segments: Sequence[Segment], *, state: State, before=None, bptt_unroll=None
) -> Iterator[tuple[Segment, Step, State]]:
    """`unroll`, but without gradients and changes, equal segments are replays of one captured step where that works.

    The tensors of a replayed step are overwritten by the next step: use or copy them before the next item.
    """
    if torch.is_grad_enabled() or before is not None:
        yield from unroll(cell, backbone, segments, state=state, before=before, bptt_unroll=bptt_unroll)
        return
    coming = iter(segments)
    window = list(islice(coming, WINDOW))
    alike = _alike(window, window[0])
    step = fixed_step(cell, backbone, alike, state)
    launch = launcher(step) if step else None
    while step and alike:
        step.number.zero_()
        step.fill(alike)
        for segment in alike:
            launch()
            state = map_state(_copy, step.state)
            yield segment, replace(step.step, output=replace(step.step.output)), state  # without the last one's logits
        window = [*window[len(alike) :], *islice(coming, len(alike))]
        alike = _alike(window, segment)
    yield from unroll(cell, backbone, chain(window, coming), state=state)


def _alike(segments: list[Segment], like: Segment) -> list[Segment]:
    """The first segments with the shape of `like` and without a mask."""
    return list(takewhile(lambda segment: segment.ids.shape == like.ids.shape and segment.mask is None, segments))
