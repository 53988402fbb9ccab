"""Measurements on a GPU: the cost of recording, throughput of training and evaluation (parts 5, 6).

The shape is BERT-base's (12 layers, width 768, 12 heads), segments of 512 tokens, 10 memory tokens. Times are of the
clock, the device waited for. Operations are those of the model's matrix products, 2 for a multiplication and addition.
"""

import tempfile
import time
import warnings
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim import AdamW

from benchmarks import on_device
from benchmarks.common import recurrent, stock
from benchmarks.gpu_models import capturing
from benchmarks.verdicts import SkipError, Verdicts
from rmt.model import Model
from rmt.model.cuda_graph import fast_unroll
from rmt.text.segments import Segment

N_MEMORY = 10
BASE = {"layers": 12, "width": 768, "heads": 12, "n": 512}
TINY = {"layers": 1, "width": 32, "heads": 2, "n": 16}
RECORDED, ON_OFF, FASTER, SHARE = 4.0, 1.15, 10.0, 0.4  # s, ratio, times, of the matrix rate: what is to be reached


def now(device: str) -> float:
    """Seconds on the clock, after the device has finished its work."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


# -- 5: recording


def recording(verdicts: Verdicts, options) -> None:
    """Part 5: a run with nothing kept, with thin maps on the host, recorded to a file, and eager with attentions."""
    size, segments, few = (TINY, 70, 8) if options.small else (BASE, 4096, 96)
    with (
        capturing(options.device),
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        runs, lengths = on_device.variants(asked(options, size, segments, few), Path(folder))
        seconds: dict[str, list[float]] = {name: [] for name in ("none", "thin", "eager")}
        for i in range(3 if options.small else 4):  # the first round is to warm up
            for name in seconds:
                began = now(options.device)
                runs[name]()
                took = (now(options.device) - began) * segments / lengths[name]
                if i:
                    seconds[name].append(took)
            if i and verdicts.left < 30:
                break
        middle = {name: sorted(values)[len(values) // 2] for name, values in seconds.items()}
        rounds = {
            "rounds": len(seconds["none"]),
            "segments": segments,
            "precision": "fp32" if options.small else "bf16",
        }
        for name, what in {
            "none": "none",
            "thin": "thin",
            "eager": f"eager with attentions, from {few} segments",
        }.items():
            figures = {"seconds": seconds[name], "ms_per_segment": middle[name] / segments * 1e3}
            verdicts.say("FIGURE", what, **figures, **(rounds if name == "none" else {}))
        ratio, times = middle["thin"] / middle["none"], middle["eager"] / middle["thin"]
        verdicts.say(
            reached(options, middle["thin"] <= RECORDED), "thin, seconds", found=middle["thin"], at_most=RECORDED
        )
        verdicts.say(reached(options, ratio <= ON_OFF), "thin over none", found=ratio, at_most=ON_OFF)
        verdicts.say(reached(options, times >= FASTER), "eager over thin", found=times, at_least=FASTER)
        if verdicts.left > 5 * middle["thin"]:
            verdicts.each("thin to a file", to_file, runs["file"], options.device, segments, middle)
        else:
            verdicts.say("SKIP", "thin to a file", why="no time was left")
    warned = sorted(
        {str(one.message) for one in said if "CUDA graph" in str(one.message) or "log-sum-exp" in str(one.message)}
    )
    verdicts.say("FAIL" if warned else "PASS", "graphs and kernels are used as they are meant to be", said=warned)
    if options.device == "cuda":
        with tempfile.TemporaryDirectory() as folder:
            short, _ = on_device.variants(asked(options, size, 70, 16), Path(folder))
            for name in ("thin", "none", "eager"):
                short[name]()
                verdicts.each(f"where the device's time goes, {name}", profile, short[name])


def asked(options, size: dict, segments: int, few: int) -> SimpleNamespace:
    """The options that `benchmarks.on_device` takes."""
    about = {"device": options.device, "family": "bert", "precision": "fp32" if options.small else "bf16", "batch": 1}
    return SimpleNamespace(**about, segments=segments, eager_segments=few, **size)


def reached(options, holds: bool) -> str:
    """The verdict for a bound; bounds hold for the whole size only, not for --small."""
    return "FIGURE" if options.small else "PASS" if holds else "FAIL"


def to_file(run, device: str, segments: int, best: dict) -> tuple[None, dict]:
    """Seconds of a recording to a file, and its ratio to a run with nothing kept."""
    began = now(device)
    run()
    took = now(device) - began
    return None, {"seconds": took, "ms_per_segment": took / segments * 1e3, "over_none": took / best["none"]}


def profile(run, most: int = 8) -> tuple[None, dict]:
    """The kernels that a run spends its device time in (ms), and the share of time that the device works."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as watch

    began = now("cuda")
    with watch(activities=[ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    wall = time.perf_counter() - began
    rows = [(row.key, row.self_device_time_total / 1e3, row.count) for row in profiler.key_averages()]
    rows = sorted((row for row in rows if row[1] > 0), key=lambda row: -row[1])
    total = sum(ms for _, ms, _ in rows)
    kernels = {name[:60]: {"ms": ms, "calls": count} for name, ms, count in rows[:most]}
    return None, {
        "device_ms": total,
        "wall_ms_profiled": wall * 1e3,
        "kernels": sum(r[2] for r in rows),
        "detail": kernels,
    }


# -- 6: throughput


def throughput(verdicts: Verdicts, options) -> None:
    """Part 6: training and reading in bf16 at several batches: tokens a second, and share of the matrix rate."""
    size, batches = (TINY, (1, 4)) if options.small else (BASE, (1, 8, 32, 128))
    rate = matrix_rate(options.device, 256 if options.small else 8192)
    verdicts.say("FIGURE", "bf16 matrix products", tflops=rate / 1e12)
    with capturing(options.device):
        for batch in sorted(batches, key=lambda n: (n != 32, n)):  # the one with a bound first
            bound = 0.0 if options.small or batch != 32 else SHARE
            verdicts.each(f"training batch {batch}", training, options.device, size, batch, rate, bound)
        for batch in batches:
            for weights in ("fp32", "bf16"):
                what = f"reading batch {batch} weights {weights}"
                verdicts.each(what, reading, options.device, size, batch, rate, weights)
    if options.device == "cuda":
        step, _ = trainer(options.device, size, 32, 2)
        step()
        verdicts.each("where a training step's time goes, batch 32", profile, step, 14)


def matrix_rate(device: str, n: int) -> float:
    """Operations a second of an n by n product of random bfloat16 matrices, the median of twenty."""
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    seconds = []
    for i in range(25):
        began = now(device)
        a @ b
        took = now(device) - began
        if i >= 5:
            seconds.append(took)
    return 2 * n**3 / sorted(seconds)[len(seconds) // 2]


def operations(size: dict, batch: int) -> float:
    """Operations of reading one segment of a batch: projections, feed-forward parts, attention over N positions."""
    n, width = size["n"] + N_MEMORY + 3, size["width"]
    return batch * n * size["layers"] * (24 * width**2 + 4 * n * width)


def trainer(device: str, size: dict, batch: int, n_segments: int):
    """A function that makes one training step as `rmt train` does (bf16 autocast, clipping, AdamW), and its tokens."""
    model = bert(size).to(device).train().requires_grad_(True)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # as in `rmt.backbone.families`
    optimizer = AdamW(model.parameters(), lr=1e-5, weight_decay=0.01)
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(3, 30522, (batch, n_segments * size["n"]), generator=generator).to(device)
    labels = torch.randint(6, (batch,), generator=generator).to(device)
    # Fused attention goes backwards slowly in bfloat16 on a CPU, where this is only tried.
    kernel = (lambda: sdpa_kernel(SDPBackend.MATH)) if device == "cpu" else nullcontext

    def step() -> None:
        with kernel(), torch.autocast(device, torch.bfloat16):
            loss = model(ids, labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step, ids.numel()


def bert(size: dict) -> Model:
    """A random BERT of this size with RMT around it."""
    shape = {key: size[key] for key in ("layers", "width", "heads")}
    model = stock("bert", **shape, positions=size["n"] + 32, vocabulary=30522)
    return recurrent(model, n_memory=N_MEMORY, segment_length=size["n"])


def training(device, size, batch, rate, bound) -> tuple[bool | None, dict]:
    """Throughput of training on documents of two segments, or of one where two do not fit the device."""
    for n_segments in (2, 1):
        try:
            return train(device, size, batch, rate, bound, n_segments)
        except torch.OutOfMemoryError:
            pass
        torch.cuda.empty_cache()
    raise SkipError("documents of two segments, and of one, do not fit the device's memory")


def train(device, size, batch, rate, bound, n_segments) -> tuple[bool | None, dict]:
    """Throughput of training at this batch and document length."""
    step, tokens = trainer(device, size, batch, n_segments)
    for _ in range(2):
        step()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds, began = [], time.perf_counter()
    while len(seconds) < 3 or (time.perf_counter() - began < 2 and len(seconds) < 20):
        start = now(device)
        step()
        seconds.append(now(device) - start)
    took = sorted(seconds)[len(seconds) // 2]
    share = 3 * operations(size, batch) * n_segments / took / rate
    figures = {"segments": n_segments, "ms": took * 1e3, "tokens_per_s": tokens / took, "share_of_matrix_rate": share}
    if device == "cuda":
        figures["peak_gb"] = torch.cuda.max_memory_allocated() / 2**30
    return (share >= bound if bound else None), {**figures, **({"bound": bound} if bound else {})}


@torch.inference_mode()
class Pages:
    """Segments of random tokens, made when they are asked for."""

    def __init__(self, batch: int, n: int, n_segments: int, device: str):
        self.generator = torch.Generator().manual_seed(2)
        self.shape, self.n_segments, self.device = (batch, n), n_segments, device

    def __len__(self) -> int:
        return self.n_segments

    def __getitem__(self, i: int) -> Segment:
        if not 0 <= i < self.n_segments:
            raise IndexError(i)
        return Segment(torch.randint(3, 512, self.shape, generator=self.generator).to(self.device))


def reading(device, size, batch, rate, weights) -> tuple[None, dict]:
    """Throughput of evaluation: segments read in order, nothing kept, weights rounded at each use or once."""
    model, n_segments = bert(size).to(device), 70
    if weights == "bf16":
        model = model.to(torch.bfloat16)
    pages = Pages(batch, size["n"], n_segments, device)

    def run() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=weights == "fp32"):
            for _ in fast_unroll(model.cell, model.backbone, pages, state=model.cell.initial(batch)):
                pass

    run()
    began = now(device)
    run()
    took = now(device) - began
    figures = {"ms_per_segment": took / n_segments * 1e3, "tokens_per_s": batch * size["n"] * n_segments / took}
    return None, {**figures, "share_of_matrix_rate": operations(size, batch) * n_segments / took / rate}
