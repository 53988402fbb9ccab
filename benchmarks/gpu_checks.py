"""Checks of the tests, kernels and thin maps on a GPU, exact or within a bound (parts 1, 2, 4 of `benchmarks.gpu`).

Each is compared with what is known to be right: the public kernel, float64.

Every check is beside one that is known to be right: the public kernel, the plain loop, float64.
"""

import re
import subprocess
import sys
import warnings
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu_models import document, random_model
from benchmarks.verdicts import SkipError, Verdicts
from rmt.backbone import HFBackbone, answering
from rmt.backbone import kernels as private
from rmt.backbone.attention import EMPTY, Maps, thin
from rmt.model.unroll import unroll
from rmt.recorder import Recorder

ROOT = Path(__file__).parent.parent
TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
HEAD_SIZES = (32, 64, 128, 256)
CALLS = {"plain": (False, False), "causal": (False, True), "masked": (True, False)}  # never both masked and causal
RESULT = re.compile(
    r"(PASSED|FAILED|ERROR|SKIPPED)\b.*?(tests/\S+::\S+)|(tests/\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED)\b"
)


# -- 1: tests


def tests(verdicts: Verdicts, options) -> None:
    """Part 1: every test marked gpu, from the files that have one."""
    files = [path for path in sorted((ROOT / "tests").glob("test_*.py")) if "mark.gpu" in path.read_text("utf-8")]
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "-p", "no:cacheprovider"]
    command += ["-n", "4"] if options.device == "cuda" and find_spec("xdist") else []
    command += [str(path.relative_to(ROOT)) for path in files]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen: dict[str, str] = {}
    for line in process.stdout:
        sys.stderr.write(line)
        if match := RESULT.search(line):
            kind, name = (match[1], match[2]) if match[1] else (match[4], match[3])
            if kind in ("FAILED", "ERROR") and seen.get(name) != kind:
                verdicts.say("FAIL", name)
            seen.setdefault(name, kind)
    status = process.wait()
    for path in files:
        mine = [kind for name, kind in seen.items() if name.startswith(f"tests/{path.name}::")]
        counts = {kind.lower(): mine.count(kind) for kind in sorted(set(mine))}
        passed = set(mine) <= {"PASSED", "SKIPPED"} and "PASSED" in mine
        skipped = set(mine) == {"SKIPPED"}
        verdicts.say("PASS" if passed else "SKIP" if skipped else "FAIL", path.name, **counts)
    if status not in (0, 1):
        verdicts.say("FAIL", "pytest", status=status)


# -- 2: private kernels


def kernels(verdicts: Verdicts, options) -> None:
    """Part 2: the trial that each private kernel must pass before it is trusted, for every way of calling it."""
    sizes = HEAD_SIZES[:2] if options.small else HEAD_SIZES
    for (device, choice), (name, dtype) in product(private.KERNELS, TYPES.items()):
        if device == options.device:
            kernel = SDPBackend(choice).name.lower().removesuffix("_attention")
            verdicts.each(f"{kernel} {name}", trials, device, choice, dtype, sizes)
    for name, dtype in TYPES.items():
        verdicts.each(f"chosen for {name}", choices, options.device, dtype)


def trials(device: str, choice: int, dtype, sizes) -> tuple[bool, dict]:
    """Trials of one kernel in one precision, by head size and call: passed, not offered, or failed and why."""
    passed, absent, wrong = [], [], []
    for size, (call, (masked, causal)) in product(sizes, CALLS.items()):
        if not offered(device, choice, dtype, size, masked, causal):
            absent.append(f"{call} {size}")
            continue
        problem = private._trial(device, choice, dtype, size, masked, causal)
        passed.append(f"{call} {size}") if problem is None else wrong.append(f"{call} {size}: {problem}")
    if not passed and not wrong:
        raise SkipError("the public function offers this kernel for none of these calls")
    return not wrong, {"passed": len(passed), "not_offered": len(absent), "wrong": wrong, "detail": absent}


@torch.inference_mode()
def offered(device, choice, dtype, size, masked, causal) -> bool:
    """Whether the public function would run this kernel if asked to."""
    query = torch.randn(1, 2, 67, size, device=device).to(dtype)
    mask = torch.ones(1, 1, 67, 67, dtype=torch.bool, device=device).tril() if masked else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of why it is not
        try:
            with sdpa_kernel(SDPBackend(choice)):
                F.scaled_dot_product_attention(query, query, query, attn_mask=mask, is_causal=causal)
        except RuntimeError as error:
            if "kernel" not in str(error).lower():
                raise
            return False
    return True


@torch.inference_mode()
def choices(device: str, dtype) -> tuple[bool, dict]:
    """The kernel that attention chooses in BERT-base's shape, and whether its log-sum-exp is trusted."""
    chosen, query = {}, torch.randn(1, 12, 525, 64, device=device).to(dtype)
    for call, (masked, causal) in CALLS.items():
        mask = torch.ones(1, 1, 525, 525, dtype=torch.bool, device=device).tril() if masked else None
        choice = torch._fused_sdp_choice(query, query, query, mask, 0.0, causal, scale=0.125)
        trusted = private.trusted(device, choice, dtype, 64, masked, causal)
        chosen[call] = SDPBackend(choice).name.lower().removesuffix("_attention") + (
            "" if trusted else " (not trusted)"
        )
    return all("not trusted" not in name for name in chosen.values()), chosen


# -- 4: thin maps

BOUND = {"fp32": 1e-5, "fp16": 1e-4, "bf16": 1e-4}  # of a probability; a mass is a sum over N of them


def maps(verdicts: Verdicts, options) -> None:
    """Part 4: thin maps against a float64 softmax of the same queries and keys; readings with and without recorder."""
    size = {"layers": 2, "width": 64, "heads": 2, "n": 32} if options.small else {}
    size = {"layers": 3, "width": 768, "heads": 12, "n": 512, **size}
    cases = [("rmt", "bert"), ("rmt", "gpt2"), ("armt", "gpt2"), ("transformer-xl", "gpt2")]
    for (cell, family), (name, dtype) in product(cases, TYPES.items()):
        verdicts.each(f"{cell} {family} {name} against float64", exact, options.device, cell, family, name, dtype, size)
    for (cell, family), (name, dtype) in product(cases, TYPES.items()):
        verdicts.each(f"{cell} {family} {name} with a recorder", unchanged, options.device, cell, family, dtype, size)


class Keep:
    """A Backbone around a Backbone that stores the last segment's queries, keys, layout and mask."""

    def __init__(self, backbone: HFBackbone):
        self.backbone = backbone

    def __getattr__(self, name: str):
        return getattr(self.backbone, name)

    def __call__(self, x, *, layout, mask=None, **options):
        self.layers, self.layout, self.mask = [], layout, mask
        return self.backbone(x, layout=layout, mask=mask, capture=self.layers.append, **options)


@torch.inference_mode()
def exact(device, cell, family, name, dtype, size) -> tuple[bool, dict]:
    """Whether thin maps are those of a float64 softmax, within BOUND."""
    model = random_model(device, cell, family, dtype, **size)
    keep, state = Keep(model.backbone), model.cell.initial(2)
    for segment in document(model, 2, 3):
        state = model.cell.step(keep, segment, state)[1]
    layout, answer = keep.layout, answering(keep.layout, keep.mask)
    read, write = layout.read or EMPTY, layout.write or EMPTY
    seen, writing = [], []
    for layer in keep.layers:
        scores = layer.query.double() @ layer.key.double().transpose(-1, -2) * layer.scale
        p = private.hide(scores, layer.mask, layer.causal, slice(0, scores.shape[-2])).softmax(-1)
        seen.append(p[..., read].transpose(-1, -2))
        writing.append(p[..., write, :])
    true = Maps.cut(torch.stack(seen), torch.stack(writing), layout, answer)
    thin_maps = thin(keep.layers, model.backbone, layout, answer)
    n, gaps, finite = keep.layers[0].query.shape[-2], {}, True
    for field in ("read", "write", "answer_read", "mass"):
        ours, theirs = getattr(thin_maps, field), getattr(true, field)
        finite = finite and bool(ours.isfinite().all()) and ours.shape == theirs.shape
        gap = (ours - theirs).abs().max() if theirs.numel() else torch.zeros(())
        gaps[field] = float(gap) / (n if field == "mass" else 1)
    spread = float(true.read.std()) if true.read.numel() else float(true.write.std())
    return finite and max(gaps.values()) <= BOUND[name] and spread > 1e-4, {"bound": BOUND[name], **gaps}


@torch.inference_mode()
def unchanged(device, cell, family, dtype, size) -> tuple[bool, dict]:
    """Whether hidden states of three segments are the same with and without a recorder, to the bit."""
    model, other, numbers = random_model(device, cell, family, dtype, **size), {}, 0
    for batch in (1, 8):
        segments, initial = document(model, batch, 3), model.cell.initial(batch)
        watched = unroll(model.cell, Recorder(model.backbone), segments, state=initial)
        plain = unroll(model.cell, model.backbone, segments, state=initial)
        for (_, watched_step, _), (_, plain_step, _) in zip(watched, plain, strict=True):
            different = int((watched_step.output.hidden != plain_step.output.hidden).sum())
            other[f"batch_{batch}"] = other.get(f"batch_{batch}", 0) + different
            numbers += plain_step.output.hidden.numel()
    return not any(other.values()), {"numbers": numbers, "other": other}
