"""Checks of captured graphs on a GPU against the plain loop, to the bit (part 3 of `benchmarks.gpu`)."""

import warnings
from contextlib import contextmanager
from itertools import product

import numpy as np
import torch

from benchmarks.gpu_models import capturing, document, random_model
from benchmarks.verdicts import SkipError, Verdicts
from rmt.memory.base import map_state
from rmt.model import cuda_graph
from rmt.model.cuda_graph import fast_unroll, fixed_step, observed
from rmt.model.unroll import unroll
from rmt.recorder import Recorder
from rmt.recorder.recorder import observer

CASES = [(cell, family) for cell in ("rmt", "armt", "transformer-xl") for family in ("bert", "gpt2")]


def graphs(verdicts: Verdicts, options) -> None:
    """All checks of part 3: states and hidden states of every segment, to the bit in float32."""
    size = {"layers": 2, "width": 32, "heads": 2, "n": 16} if options.small else {}
    size = {"layers": 4, "width": 256, "heads": 4, "n": 64, **size}
    segments = 80 if options.small else 1000
    with capturing(options.device):
        for (cell, family), batch in product(CASES, (1, 32)):
            what = f"{cell} {family} batch {batch} fp32"
            verdicts.each(what, graph, options.device, cell, family, batch, torch.float32, segments, size)
        for family, batch in product(("bert", "gpt2"), (1, 32)):
            what = f"rmt {family} batch {batch} recorded fp32"
            verdicts.each(what, recording, options.device, family, batch, torch.float32, segments, size)
        for family in ("bert", "gpt2"):
            verdicts.each(
                f"rmt {family} batch 1 bf16", graph, options.device, "rmt", family, 1, torch.bfloat16, segments, size
            )
            verdicts.each(
                f"rmt {family} batch 1 recorded bf16",
                recording, options.device, family, 1, torch.bfloat16, segments, size,
            )  # fmt: skip
        verdicts.each("a planted wrong graph is said and not used", planted, options.device, size)
        verdicts.each("a capture that fails is said and done without", failing, options.device, size)


@contextmanager
def counted(device: str):
    """The captures made in this block; a warning that one failed or was wrong becomes an error."""
    seen, capture = [], cuda_graph.CAPTURE[device]
    cuda_graph.CAPTURE[device] = lambda step: seen.append(step.number) or capture(step)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*CUDA graph")
            yield seen
    finally:
        cuda_graph.CAPTURE[device] = capture


@torch.inference_mode()
def graph(device, cell, family, batch, dtype, n_segments, size) -> tuple[bool, dict]:
    """Whether captured step and plain loop agree; differences are counted on the device, so that neither loop waits."""
    model = random_model(device, cell, family, dtype, **size)
    segments = document(model, batch, n_segments)
    other, numbers, moved = torch.zeros((), dtype=torch.long, device=device), 0, []
    with counted(device) as captures:
        fast = fast_unroll(model.cell, model.backbone, segments, state=model.cell.initial(batch))
        plain = unroll(model.cell, model.backbone, segments, state=model.cell.initial(batch))
        for i, ((_, step, state), (_, expected, right)) in enumerate(zip(fast, plain, strict=True)):
            pairs = [(step.output.hidden, expected.output.hidden)]
            map_state(lambda a, b, pairs=pairs: pairs.append((a, b)) or a, state, right)
            for a, b in pairs:
                other += (a != b).sum()
                numbers += a.numel()
            if i in (n_segments - 2, n_segments - 1):
                moved.append(expected.output.hidden.clone())
    change = float((moved[1] - moved[0]).abs().max())
    figures = {"segments": n_segments, "numbers": numbers, "other": int(other), "captures": len(captures)}
    return not other and len(captures) == 1 and change > 0, {**figures, "last_step_moves": change}


@torch.inference_mode()
def recording(device, family, batch, dtype, n_segments, size) -> tuple[bool, dict]:
    """Whether the ring of pinned buffers gives the values that are fetched one by one."""
    model = random_model(device, "rmt", family, dtype, **size)
    segments, watcher = document(model, batch, n_segments), Recorder(model.backbone)
    observe, initial = observer(model, watcher, "thin"), model.cell.initial(batch)
    expected = (observe(*seen) for seen in unroll(model.cell, watcher, segments, state=initial))
    other, numbers, n = 0, 0, 0
    with counted(device) as captures:
        step = fixed_step(model.cell, watcher, segments, initial)
        for values in observed(step, segments, observe):
            n += 1
            copies = {name: value.copy() for name, value in values.items()}
            for name, value in next(expected).items():
                value = value.cpu().numpy()
                numbers += value.size
                other += int(np.sum((copies[name] != value) & ~(np.isnan(copies[name]) & np.isnan(value))))
    figures = {"segments": n, "numbers": numbers, "other": other, "captures": len(captures)}
    return not other and n == n_segments and len(captures) == 1, figures


@torch.inference_mode()
def planted(device, size) -> tuple[bool, dict]:
    """Whether a graph whose state is off by a millionth is noticed, and the plain loop's numbers are returned."""
    model = random_model(device, "rmt", "bert", torch.float32, **size)
    segments, capture = document(model, 1, 70), cuda_graph.CAPTURE[device]

    def wrong(step):
        launch = capture(step)
        return lambda: (launch(), step.state.mul_(1 + 1e-6))

    cuda_graph.CAPTURE[device] = wrong
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            steps = fast_unroll(model.cell, model.backbone, segments, state=model.cell.initial(1))
            states = [state for _, _, state in steps]
    finally:
        cuda_graph.CAPTURE[device] = capture
    plain = unroll(model.cell, model.backbone, segments, state=model.cell.initial(1))
    same = all(torch.equal(a, state) for a, (_, _, state) in zip(states, plain, strict=True))
    messages = [
        str(warning.message) for warning in warned if "other numbers than the plain loop" in str(warning.message)
    ]
    return same and len(messages) == 1, {"said": messages[:1], "same_numbers": same}


@torch.inference_mode()
def failing(device, size) -> tuple[bool, dict]:
    """Whether a step that cannot be captured is called instead, and the next capture succeeds."""
    if device != "cuda":
        raise SkipError("a CPU captures nothing, so no capture fails")
    model = random_model(device, "rmt", "bert", torch.float32, **size)
    segments, initial = document(model, 1, 70), model.cell.initial(1)
    before = torch.cuda.current_stream()

    def observe(segment, step, state):
        return {"largest": torch.full((1,), float(state.max()), device=device)}

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        step = fixed_step(model.cell, model.backbone, segments, initial)
        largest = [float(values["largest"][0]) for values in observed(step, segments, observe)]
    plain = [float(state.max()) for _, _, state in unroll(model.cell, model.backbone, segments, state=initial)]
    messages = [
        str(warning.message) for warning in warned if "cannot be captured as a CUDA graph" in str(warning.message)
    ]
    stream = torch.cuda.current_stream() == before
    again, _ = graph(device, "rmt", "bert", 1, torch.float32, 70, size)
    holds = largest == plain and len(messages) == 1 and stream and again
    return holds, {"said": messages[:1], "same_numbers": largest == plain, "same_stream": stream, "next_capture": again}
