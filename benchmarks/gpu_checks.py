"""What must hold on a GPU to the bit or within a bound: tests, kernels, captured graphs, thin maps (`benchmarks.gpu`).

Every check is beside one that is known to be right: the public kernel, the plain loop, float64.
"""

import re
import subprocess
import sys
import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.common import stock
from benchmarks.verdicts import SkipError, Verdicts
from rmt.backbone import HFBackbone, answering
from rmt.backbone import kernels as private
from rmt.backbone.attention import EMPTY, Maps, thin
from rmt.memory import CELLS
from rmt.memory.base import map_state
from rmt.model import Model, cuda_graph
from rmt.model.cuda_graph import fast_unroll, fixed_step, observed
from rmt.model.unroll import unroll
from rmt.recorder import Recorder
from rmt.recorder.recorder import observer

ROOT = Path(__file__).parent.parent
TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
HEAD_SIZES = (32, 64, 128, 256)
CALLS = {"plain": (False, False), "causal": (False, True), "masked": (True, False)}  # never both masked and causal
ONE = re.compile(r"(PASSED|FAILED|ERROR|SKIPPED)\b.*?(tests/\S+::\S+)|(tests/\S+::\S+) (PASSED|FAILED|ERROR|SKIPPED)\b")


# -- 1: tests


def tests(verdicts: Verdicts, options) -> None:
    """Every test marked gpu, from the files that have one."""
    files = [path for path in sorted((ROOT / "tests").glob("test_*.py")) if "mark.gpu" in path.read_text("utf-8")]
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "-p", "no:cacheprovider"]
    command += ["-n", "4"] if options.device == "cuda" and find_spec("xdist") else []
    command += [str(path.relative_to(ROOT)) for path in files]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen: dict[str, str] = {}
    for line in process.stdout:
        sys.stderr.write(line)
        if found := ONE.search(line):
            kind, name = (found[1], found[2]) if found[1] else (found[4], found[3])
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
    """The trial that each private kernel must pass before it is trusted, for every way of calling it."""
    sizes = HEAD_SIZES[:2] if options.small else HEAD_SIZES
    for (device, choice), (name, dtype) in product(private.KERNELS, TYPES.items()):
        if device == options.device:
            kernel = SDPBackend(choice).name.lower().removesuffix("_attention")
            verdicts.each(f"{kernel} {name}", trials, device, choice, dtype, sizes)
    for name, dtype in TYPES.items():
        verdicts.each(f"chosen for {name}", choices, options.device, dtype)


def trials(device: str, choice: int, dtype, sizes) -> tuple[bool, dict]:
    """Head sizes and calls of one kernel in one precision: which passed, were not offered, or failed and why."""
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
    """Whether the public function would run this kernel if it were told to."""
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
    """Which kernel attention chooses in BERT-base's shape, and whether it is one whose log-sum-exp is trusted."""
    found, query = {}, torch.randn(1, 12, 525, 64, device=device).to(dtype)
    for call, (masked, causal) in CALLS.items():
        mask = torch.ones(1, 1, 525, 525, dtype=torch.bool, device=device).tril() if masked else None
        choice = torch._fused_sdp_choice(query, query, query, mask, 0.0, causal, scale=0.125)
        trusted = private.trusted(device, choice, dtype, 64, masked, causal)
        found[call] = SDPBackend(choice).name.lower().removesuffix("_attention") + ("" if trusted else " (not trusted)")
    return all("not trusted" not in one for one in found.values()), found


# -- 3: captured graphs

CASES = [(cell, family) for cell in ("rmt", "armt", "transformer-xl") for family in ("bert", "gpt2")]


def graphs(verdicts: Verdicts, options) -> None:
    """The captured step against the plain loop, every segment's state and hidden states, to the bit in float32."""
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
def capturing(device: str):
    """A CPU captures nothing: there the step, warmed up and wound back, stands in for its graph."""

    def stand_in(step):
        for _ in range(cuda_graph.WARM_UP):
            step()
        step.rewind()
        return step

    before = dict(cuda_graph.CAPTURE)
    if device == "cpu":
        cuda_graph.CAPTURE["cpu"] = stand_in
    try:
        yield
    finally:
        cuda_graph.CAPTURE.clear()
        cuda_graph.CAPTURE.update(before)


def made(device: str, cell: str, family: str, dtype, *, layers: int, width: int, heads: int, n: int) -> Model:
    """A model with weights so large that what is remembered changes what is read."""
    model = stock(family, layers=layers, width=width, heads=heads, positions=n + 32, vocabulary=512)
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(std=0.8 * width**-0.5)
    backbone = HFBackbone(model, cls_id=1, sep_id=2)
    if cell == "transformer-xl" and not backbone.causal:
        raise SkipError("Transformer-XL reads with a decoder, and this is an encoder")
    options = {"n_memory": 8, "initial_std": 0.5, **({"d_memory": 16} if cell == "armt" else {})}
    made = CELLS[cell].fit(backbone, **options)
    for parameter in made.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(std=0.8 * width**-0.5)
    return Model(backbone, made, segment_length=n).eval().requires_grad_(False).to(device, dtype)


def document(model: Model, batch: int, segments: int) -> list:
    generator = torch.Generator().manual_seed(2)
    return model.split(
        torch.randint(3, 512, (batch, segments * model.segment_length), generator=generator).to(model.device)
    )


@contextmanager
def counted(device: str):
    """The captures made meanwhile; a warning that one failed or was wrong is an error."""
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
    """Both loops side by side; numbers that differ are counted on the device, so that neither waits for the other."""
    model = made(device, cell, family, dtype, **size)
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
    """What comes out of the ring of pinned buffers against the same values fetched one by one."""
    model = made(device, "rmt", family, dtype, **size)
    segments, watcher = document(model, batch, n_segments), Recorder(model.backbone)
    observe, initial = observer(model, watcher, "thin"), model.cell.initial(batch)
    expected = (observe(*seen) for seen in unroll(model.cell, watcher, segments, state=initial))
    other, numbers, n = 0, 0, 0
    with counted(device) as captures:
        step = fixed_step(model.cell, watcher, segments, initial)
        for values in observed(step, segments, observe):
            n += 1
            kept = {name: value.copy() for name, value in values.items()}
            for name, value in next(expected).items():
                value = value.cpu().numpy()
                numbers += value.size
                other += int(np.sum((kept[name] != value) & ~(np.isnan(kept[name]) & np.isnan(value))))
    figures = {"segments": n, "numbers": numbers, "other": other, "captures": len(captures)}
    return not other and n == n_segments and len(captures) == 1, figures


@torch.inference_mode()
def planted(device, size) -> tuple[bool, dict]:
    """A graph whose state is off by a millionth must be found out, and the plain loop's numbers must come out."""
    model = made(device, "rmt", "bert", torch.float32, **size)
    segments, capture = document(model, 1, 70), cuda_graph.CAPTURE[device]

    def wrong(step):
        launch = capture(step)
        return lambda: (launch(), step.state.mul_(1 + 1e-6))

    cuda_graph.CAPTURE[device] = wrong
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            steps = fast_unroll(model.cell, model.backbone, segments, state=model.cell.initial(1))
            states = [state for _, _, state in steps]
    finally:
        cuda_graph.CAPTURE[device] = capture
    plain = unroll(model.cell, model.backbone, segments, state=model.cell.initial(1))
    same = all(torch.equal(a, state) for a, (_, _, state) in zip(states, plain, strict=True))
    told = [str(one.message) for one in said if "other numbers than the plain loop" in str(one.message)]
    return same and len(told) == 1, {"said": told[:1], "same_numbers": same}


@torch.inference_mode()
def failing(device, size) -> tuple[bool, dict]:
    """A step that looks at a number cannot be captured: it is called instead, and the next capture is a good one."""
    if device != "cuda":
        raise SkipError("a CPU captures nothing, so no capture fails")
    model = made(device, "rmt", "bert", torch.float32, **size)
    segments, initial = document(model, 1, 70), model.cell.initial(1)
    before = torch.cuda.current_stream()

    def observe(segment, step, state):
        return {"largest": torch.full((1,), float(state.max()), device=device)}

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        step = fixed_step(model.cell, model.backbone, segments, initial)
        found = [float(values["largest"][0]) for values in observed(step, segments, observe)]
    plain = [float(state.max()) for _, _, state in unroll(model.cell, model.backbone, segments, state=initial)]
    told = [str(one.message) for one in said if "cannot be captured as a CUDA graph" in str(one.message)]
    stream = torch.cuda.current_stream() == before
    again, _ = graph(device, "rmt", "bert", 1, torch.float32, 70, size)
    holds = found == plain and len(told) == 1 and stream and again
    return holds, {"said": told[:1], "same_numbers": found == plain, "same_stream": stream, "next_capture": again}


# -- 4: thin maps

BOUND = {"fp32": 1e-5, "fp16": 1e-4, "bf16": 1e-4}  # of a probability; a mass is a sum over N of them


def maps(verdicts: Verdicts, options) -> None:
    """Thin maps against a float64 softmax of the same queries and keys; and whether watching changes what is read."""
    size = {"layers": 2, "width": 64, "heads": 2, "n": 32} if options.small else {}
    size = {"layers": 3, "width": 768, "heads": 12, "n": 512, **size}
    cases = [("rmt", "bert"), ("rmt", "gpt2"), ("armt", "gpt2"), ("transformer-xl", "gpt2")]
    for (cell, family), (name, dtype) in product(cases, TYPES.items()):
        verdicts.each(f"{cell} {family} {name} against float64", exact, options.device, cell, family, name, dtype, size)
    for (cell, family), (name, dtype) in product(cases, TYPES.items()):
        verdicts.each(f"{cell} {family} {name} with a recorder", unchanged, options.device, cell, family, dtype, size)


class Keep:
    """A Backbone around a Backbone that keeps queries and keys of the last segment, its layout and its mask."""

    def __init__(self, backbone: HFBackbone):
        self.backbone = backbone

    def __getattr__(self, name: str):
        return getattr(self.backbone, name)

    def __call__(self, x, *, layout, mask=None, **options):
        self.layers, self.layout, self.mask = [], layout, mask
        return self.backbone(x, layout=layout, mask=mask, capture=self.layers.append, **options)


@torch.inference_mode()
def exact(device, cell, family, name, dtype, size) -> tuple[bool, dict]:
    model = made(device, cell, family, dtype, **size)
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
    found = thin(keep.layers, model.backbone, layout, answer)
    n, gaps, finite = keep.layers[0].query.shape[-2], {}, True
    for field in ("read", "write", "answer_read", "mass"):
        ours, theirs = getattr(found, field), getattr(true, field)
        finite = finite and bool(ours.isfinite().all()) and ours.shape == theirs.shape
        gap = (ours - theirs).abs().max() if theirs.numel() else torch.zeros(())
        gaps[field] = float(gap) / (n if field == "mass" else 1)
    spread = float(true.read.std()) if true.read.numel() else float(true.write.std())
    return finite and max(gaps.values()) <= BOUND[name] and spread > 1e-4, {"bound": BOUND[name], **gaps}


@torch.inference_mode()
def unchanged(device, cell, family, dtype, size) -> tuple[bool, dict]:
    """Hidden states of three segments with a recorder around the backbone and without one, to the bit."""
    model, other, numbers = made(device, cell, family, dtype, **size), {}, 0
    for batch in (1, 8):
        segments, initial = document(model, batch, 3), model.cell.initial(batch)
        watched = unroll(model.cell, Recorder(model.backbone), segments, state=initial)
        plain = unroll(model.cell, model.backbone, segments, state=initial)
        for (_, one, _), (_, two, _) in zip(watched, plain, strict=True):
            different = int((one.output.hidden != two.output.hidden).sum())
            other[f"batch_{batch}"] = other.get(f"batch_{batch}", 0) + different
            numbers += two.output.hidden.numel()
    return not any(other.values()), {"numbers": numbers, "other": other}
