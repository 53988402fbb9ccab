"""Fixtures that tests share: small traces made with numpy only, and a running app with a browser on it.

More than 300 lines, because pytest looks for fixtures here.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from tables import write_results

from rmt.trace import Trace
from rmt.trace.writer import TraceWriter

os.environ["RMT_VIZ_RUNS"] = tempfile.mkdtemp(prefix="rmt-viz-runs-")  # runs of tests are not kept among a person's
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tiny models: more threads cost more than they do; torch is not in yet

ROOT = Path(__file__).parent.parent
CLASSES = ["bathroom", "hallway", "garden"]
HOSTILE = [
    " <script>window.hacked = 1</script>",
    " <img src=x onerror='window.hacked = 2'>",
    " $a$ :red[b] **c** [d](javascript:alert(1))",
    " &lt;b&gt;",
    " \u202eright to left",
    "\n",
    " 💾",
]


# Files that take longest: they come first, so that no process is left with one of them at the end.
LONGEST = (
    "what_if",
    "train",
    "processes",
    "gpu_benchmark",
    "evaluate",
    "memory",
    "cuda_graph",
    "newcomers",
    "attribute",
    "facts",
)


def pytest_collection_modifyitems(items):
    """Put the longest files first and browser tests last, since Playwright keeps an event loop in this thread."""
    first = [f"test_{name}" for name in LONGEST]
    items.sort(key=lambda item: ("browser" in item.path.parts, item.path.stem not in first))


def write_trace(
    path: Path,
    *,
    segments: int = 8,
    fact: int | None = 3,
    second: int | None = None,
    length: int = 12,
    slots: int = 4,
    width: int = 6,
    layers: int = 2,
    heads: int = 2,
    detail: str = "thin",
    tokens: list[str] | None = None,
    classes: list[str] = CLASSES,
    label: int | None = 1,
    control: str | None = None,
    loss: bool | float = False,
    question: bool = True,
    people: tuple[str, ...] = (),
    checkpoint: str = "toy",
) -> Trace:
    """Write the trace of an imagined model that writes in segment `fact` (and `second`) and is asked in the last.

    Of two facts the second tells the answer, and the first another one.
    loss: whether tokens are scored; a number is added to each token's loss.
    people: who can be asked for. Each is told of in a segment of their own, the second segment the first of them; the
    first moves once more in the sixth, and about the last the model is wrong from the seventh on.
    """
    rng = np.random.default_rng(segments)
    n_tokens = segments * length
    text = [(tokens or [f" word{i}" for i in range(7)])[i % len(tokens or range(7))] for i in range(n_tokens)]
    raw = [token.encode() for token in text]
    spans = [{"kind": "question", "start": n_tokens - 4, "end": n_tokens}] if question else []
    spans += [{"kind": "fact", "start": s * length + 2, "end": s * length + 6} for s in (fact, second) if s is not None]
    made = {"checkpoint": checkpoint, "fingerprint": "0", "layers": layers, "heads": heads, "n_memory": slots}
    meta = {
        "detail": detail,
        "task": "detect",
        "classes": classes,
        "label": label,
        "spans": spans,
        "causal": False,
        "segment_length": length,
        "n_memory": slots,
        "head": "classify",
        "control": control,
        "seed": 0,
        "made_by": made | {"parameters": 1_300_000, "trained": control != "untrained", "segment_length": length},
    }
    answers, truths = _told(people, segments, len(classes)) if people else (None, None)
    if people:
        meta["questions"] = [{"name": name, "text": f"Where is {name}?"} for name in people]
    sizes = {
        "Q": len(people),
        "S": segments,
        "Tn": n_tokens,
        "T": length,
        "M": slots,
        "R": slots,
        "W": slots,
        "D": width,
    }
    sizes |= {"L": layers, "H": heads, "C": len(classes), "bytes": sum(map(len, raw))}
    fixed = {
        "starts": np.arange(segments + 1) * length,
        "token_ends": np.cumsum([len(r) for r in raw]),
        "ids": np.arange(n_tokens),
        "token_text": np.frombuffer(b"".join(raw), np.uint8),
        "memory": (state := rng.normal(size=(slots, width)))[None],
        **({"truths": truths} if people else {}),
    }
    writer = TraceWriter(path, meta, sizes, fixed)
    knows = second if second is not None else fact
    for s in range(segments):
        step = 5.0 if s == 0 or s in (fact, second) else 0.1
        state = state + step * rng.normal(size=(slots, width)) / np.sqrt(width)
        writer.segment(s, s * length, _segment(rng, state, s in (fact, second), sizes, loss))
    guess, answer = _answers(len(classes), 0), _answers(len(classes), 1 if label is None else label)
    asked = np.array([answer if knows is not None and s > knows else guess for s in range(segments + 1)])
    if second is not None:
        asked[fact + 1 : second + 1] = _answers(len(classes), len(classes) - 1)
    if question:
        writer.write("asked", 0, asked)
    if people:
        writer.write("asked_each", 0, answers)
    writer.write("probabilities", 0, asked[-1])
    writer.finish(segments)
    writer.close()
    return Trace.open(path)


def _answers(n: int, best: int) -> np.ndarray:
    return np.where(np.arange(n) == best, 0.9, 0.1 / (n - 1))


def _told(people: tuple[str, ...], segments: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers (S + 1, Q, C) and what is right (S + 1, Q); the last class stands for nothing told."""
    truths = np.full((segments + 1, len(people)), n - 1, np.int32)
    for q in range(len(people)):
        truths[q + 2 :, q] = q % (n - 1)
    truths[6:, 0] = 1
    said = truths.copy()
    said[7:, -1] = n - 1
    return np.stack([[_answers(n, c) for c in row] for row in said.tolist()]), truths


def _segment(rng, state, writes: bool, sizes: dict, loss: bool | float) -> dict:
    """Arrays of one segment: attention that sums to one in each row, and looks at one token where it writes."""
    L, H, T, M = (sizes[letter] for letter in "LHTM")  # noqa: N806
    write = rng.uniform(0.5, 1.0, (L, H, M, T))
    if writes:
        write[..., 5] *= 20
    write *= 0.8 / write.sum(-1, keepdims=True)
    read = np.full((L, H, T, M), 0.6 / M) * rng.uniform(0.8, 1.0, (L, H, T, M))
    mass = np.stack([read.sum((2, 3)), write.sum((2, 3)), np.full((L, H), 0.1 * M)], -1)
    return {
        "memory": state,
        "loss": rng.uniform(0, 5, T) + (loss is not True) * loss if loss else np.full(T, np.nan),
        "mass": np.concatenate([mass, T + M - mass.sum(-1, keepdims=True)], -1),
        "answer_read": read[:, :, -1],
        "token_write": write.mean((0, 1, 2)),
        "token_read": read.sum(-1).mean((0, 1)),
        "read": read,
        "write": write,
    }


@pytest.fixture
def make_trace(tmp_path):
    """make_trace(name="toy", **options) writes a trace into its own folder and opens it."""
    return lambda name="toy", **options: write_trace(tmp_path / f"{name}.trace.safetensors", **options)


@pytest.fixture
def rmt_command(monkeypatch, capsys):
    """rmt_command(*arguments) runs `python -m rmt` in this process: its exit code, output and error output."""
    from rmt.__main__ import main

    def call(*arguments) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rmt", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, *capsys.readouterr()

    return call


@pytest.fixture
def write(tmp_path):
    """write(name, rows, key="results", **about) writes a table of results and reads it as the app does."""
    from rmt_viz.shelf import results

    def write(name: str, rows: list, key: str = "results", **about):
        (tmp_path / f"{name}.json").write_text(json.dumps({"command": "made here", **about, key: rows}))
        return results.read(name, tmp_path)

    return write


@pytest.fixture
def captured(monkeypatch):
    """A CPU that captures steps by calling them; the list of captured steps. Windows and rings are small."""
    from rmt.model import cuda_graph

    seen = []

    def capture(step):
        for _ in range(cuda_graph.WARM_UP):
            step()
        step.rewind()
        seen.append(step)
        return step

    monkeypatch.setitem(cuda_graph.CAPTURE, "cpu", capture)
    for name, value in {"WINDOW": 7, "AHEAD": 3, "WORTH": 2}.items():
        monkeypatch.setattr(cuda_graph, name, value)
    return seen


@pytest.fixture(scope="session")
def assets(tmp_path_factory) -> Path:
    """An assets folder with the shipped traces and checkpoints, and a few made for tests only."""
    folder = tmp_path_factory.mktemp("assets")
    shutil.copytree(ROOT / "assets" / "traces", folder / "traces")
    shutil.copytree(ROOT / "assets" / "results", folder / "results")
    (folder / "what_if").symlink_to(ROOT / "assets" / "what_if", target_is_directory=True)
    (folder / "checkpoints").mkdir()  # of its own: a test may put one more in
    for checkpoint in (ROOT / "assets" / "checkpoints").iterdir():
        (folder / "checkpoints" / checkpoint.name).symlink_to(checkpoint, target_is_directory=True)
    traces = folder / "traces"
    write_trace(traces / "toy.trace.safetensors")
    write_trace(traces / "toy.reset.trace.safetensors", control="reset", fact=None)
    write_trace(traces / "toy.untrained.trace.safetensors", control="untrained", fact=None)
    write_trace(traces / "hostile.trace.safetensors", tokens=HOSTILE, classes=["<b>bold</b>", "<i>x</i>", "$y$"])
    write_trace(traces / "long.trace.safetensors", segments=4096, fact=1500)
    write_trace(traces / "short.trace.safetensors", segments=8)
    write_trace(traces / "plain.trace.safetensors", detail="memory", question=False, label=None, loss=True)
    text = {"tokens": HOSTILE, "classes": [], "question": False, "label": None, "fact": None}
    write_trace(traces / "letter.trace.safetensors", loss=True, **text)
    write_trace(traces / "letter.reset.trace.safetensors", loss=0.5, control="reset", **text)
    write_results(folder / "results")
    whole = (traces / "toy.trace.safetensors").read_bytes()
    (traces / "damaged.trace.safetensors").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture(scope="session")
def brought(tmp_path_factory) -> Path:
    """The folder under which visitors of the server may name checkpoints; tests put theirs there."""
    return tmp_path_factory.mktemp("brought")


@pytest.fixture(scope="session")
def server(assets, brought, tmp_path_factory):
    """The address of the app, run as a visitor would, over the test assets."""
    with serving(assets, tmp_path_factory.mktemp("server") / "log", RMT_VIZ_ROOT=str(brought)) as (address, _):
        yield address


@pytest.fixture(scope="session")
def hostile_server(tmp_path_factory):
    """The address of the app over runs in which every text is hostile."""
    from hostile import hostile_app

    with hostile_app(tmp_path_factory.mktemp("hostile"), ROOT / "assets", write_trace, serving) as address:
        yield address


@contextmanager
def serving(assets: Path, log: Path, script: str = "app.py", **environment: str):
    """(address, process) of an app over these assets; what it prints goes to `log`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", script]
    command += ["--server.headless", "true", "--server.port", str(port)]
    environment = os.environ | {"RMT_VIZ_ASSETS": str(assets)} | environment
    with open(log, "w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{address}/_stcore/health", process, log)
        yield address, process
    finally:
        process.terminate()
        process.wait(20)


def _wait(url: str, process: subprocess.Popen, log: Path) -> None:
    for _ in range(240):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"the app did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory):
    """The tokenizer of a tiny training run, made once, of a few addresses: of all it would take many times as long."""
    from rmt.tasks import TASKS
    from rmt.tasks.distractor import documents
    from rmt.text.tokenizer import train_tokenizer

    rng = np.random.default_rng(0)
    tales = [TASKS["detect"].story(rng) for _ in range(300)]
    texts = [*list(documents("train").values())[:12], *(" ".join([*tale.facts, tale.question]) for tale in tales)]
    file = tmp_path_factory.mktemp("vocabulary") / "tokenizer.json"
    train_tokenizer(texts, size=1500).save(str(file))
    return file


@pytest.fixture
def folder(tmp_path, tokenizer_file):
    """The folder of a tiny training run."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    return tmp_path / "run"


@pytest.fixture
def toys(monkeypatch, make_trace):
    """The app over toy traces that nothing is bundled for, and nothing kept."""
    from rmt_viz import session
    from rmt_viz.shelf import library, result_cache

    folder = make_trace("toy").path.parent
    make_trace("toy.reset", control="reset", fact=None)
    make_trace("long", segments=600)
    shelf, kept = library.Library(folder), result_cache.ResultCache()
    monkeypatch.setattr(session, "library", lambda: shelf)
    monkeypatch.setattr(session, "result_cache", lambda: kept)
    return shelf
