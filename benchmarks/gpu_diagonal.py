"""Benchmark of diagonal batching against the plain loop and, on a GPU, the captured graph: numbers and times.

ARMT around GPT-2's shape (part 9 of `benchmarks.gpu`). Times are of the clock, the device waited for, readers
interleaved; what is said are ratios of one run.
"""

import statistics
import time
import warnings
from itertools import islice

import torch

from benchmarks.gpu_models import document, random_model
from benchmarks.verdicts import Verdicts
from rmt.model.cuda_graph import fast_unroll
from rmt.model.diagonal import HALF, TOLERANCE, diagonal
from rmt.model.unroll import unroll

SMALL = {"layers": 4, "width": 32, "heads": 2, "n": 16}
BASE = {"layers": 12, "width": 768, "heads": 12, "n": 512}
ROUNDS = 5


def diagonals(verdicts: Verdicts, options) -> None:
    """Part 9: numbers in float32 and bfloat16, then seconds at batch 1 and 8."""
    size, segments = (SMALL, 12) if options.small else (BASE, 96)
    types = {"fp32": torch.float32, "bf16": torch.bfloat16}
    for family in ("gpt2", "bert"):
        for name, dtype in types.items():
            verdicts.each(f"armt {family} {name}, numbers", numbers, options.device, family, dtype, size)
    dtype = torch.float32 if options.small else torch.bfloat16
    for batch in (1, 8):
        verdicts.each(f"armt gpt2 batch {batch}, seconds", speed, options.device, dtype, size, batch, segments)


@torch.inference_mode()
def numbers(device: str, family: str, dtype, size: dict) -> tuple[bool, dict]:
    """The largest difference of the first segments' states and hidden states, as a share of the largest number."""
    model = random_model(device, "armt", family, dtype, **size)
    segments = document(model, 2, 6)
    worst = 0.0
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        readers = (list(read(model.cell, model.backbone, segments)) for read in (diagonal, unroll))
        for (_, step, state), (_, plain, expected) in islice(zip(*readers, strict=True), 2):
            pairs = [(step.output.hidden, plain.output.hidden), *zip(state, expected, strict=True)]
            worst = max(worst, *(float((a - b).abs().max() / b.abs().max()) for a, b in pairs))
    bound = TOLERANCE.get(dtype, HALF)
    fell_back = [str(one.message) for one in said if "plain loop" in str(one.message)]
    return worst <= bound and not fell_back, {"gap": worst, "bound": bound, "said": fell_back}


@torch.inference_mode()
def speed(device: str, dtype, size: dict, batch: int, n_segments: int) -> tuple[None, dict]:
    """Seconds of each reader on the same segments, and the speed-up of the diagonal one."""
    model = random_model(device, "armt", "gpt2", dtype, **size)
    segments = document(model, batch, n_segments)
    state = model.cell.initial(batch)
    readers = {"plain": unroll, "diagonal": diagonal, **({"graph": fast_unroll} if device == "cuda" else {})}
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for i in range(ROUNDS + 1):  # the first round is to warm up
        for name, read in readers.items():
            began = _now(device)
            for _ in read(model.cell, model.backbone, segments, state=state):
                pass
            if i:
                seconds[name].append(_now(device) - began)
    ratios = {
        f"{name}_over_diagonal": statistics.median(a / b for a, b in zip(taken, seconds["diagonal"], strict=True))
        for name, taken in seconds.items()
        if name != "diagonal"
    }
    return None, {**ratios, "segments": n_segments, "layers": size["layers"], "width": size["width"], "n": size["n"]}


def _now(device: str) -> float:
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()
