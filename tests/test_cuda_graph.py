"""The step whose buffers stay put gives what the plain loop gives, to the bit; only its capture needs a GPU.

Where there is none, `captured` puts a stand-in in place of the capture: it warms up and rewinds as the real one does,
and then launches the step itself. So everything else is the code that runs on CUDA. These tests
share their stand-ins and wrong graphs, so they stay in one file of more than 300 lines.
"""

import warnings
from itertools import product

import numpy as np
import pytest
import torch
from test_recorder import AROUND, FORMS, LENGTH, StopError, document, small, stop_after
from torch.utils._python_dispatch import TorchDispatchMode

from rmt.memory import CELLS
from rmt.memory.base import map_state
from rmt.model import cuda_graph
from rmt.model.cuda_graph import Ring, fast_unroll, fixed_step, observed
from rmt.model.unroll import unroll
from rmt.recorder import Recorder, record, replay
from rmt.recorder.recorder import observer
from rmt.tasks.base import Span
from rmt.trace import Trace, validate

STEADY = [kind for kind in AROUND if not CELLS[kind].past]  # cells whose state has one shape from the start
GROWING = [kind for kind in AROUND if CELLS[kind].past]
FAMILIES = ["gpt2", "llama_gqa", "bert"]
LONG = 23 * LENGTH + 4  # more segments than a window holds, and a short one


def plain(monkeypatch, function):
    """function() as it is where nothing is captured."""
    with monkeypatch.context() as patch:
        patch.delitem(cuda_graph.CAPTURE, "cpu")
        return function()


@pytest.mark.parametrize(
    ("name", "cell", "control", "dtype"),
    [
        *(
            (name, cell, *more)
            for name, cell in product(FAMILIES, [cell for cell in FORMS if cell in STEADY])
            for more in [(None, torch.float64), ("reset", torch.bfloat16)]
        ),
        *(("llama_gqa", cell, None, torch.bfloat16) for cell in STEADY if cell not in FORMS),
    ],
)
def test_a_recording_has_the_same_bytes(tmp_path, monkeypatch, captured, name, cell, control, dtype):
    model, options = small(name, cell, dtype=dtype), {"detail": "thin", "control": control}
    options["spans"] = [Span("question", LONG - 6, LONG)]
    fixed = record(model, document(LONG), out=tmp_path / "fixed", **options)
    assert len(captured) == 1 and fixed.complete and validate(fixed.path) == []
    usual = plain(monkeypatch, lambda: record(model, document(LONG), out=tmp_path / "usual", **options))
    assert len(captured) == 1 and usual.path.read_bytes() == fixed.path.read_bytes()


@pytest.mark.parametrize("detail", ["memory", "summary"])
def test_other_levels_of_detail(tmp_path, monkeypatch, captured, detail):
    model = small()
    fixed = record(model, document(LONG), detail=detail, out=tmp_path / "fixed")
    usual = plain(monkeypatch, lambda: record(model, document(LONG), detail=detail, out=tmp_path / "usual"))
    assert len(captured) == 1 and usual.path.read_bytes() == fixed.path.read_bytes()


@pytest.mark.parametrize("cell", GROWING)
def test_a_state_that_grows_is_read_step_by_step(captured, cell):
    model, seen = small("gpt2", cell), []
    trace = record(model, document(LONG), progress=lambda done, total: seen.append(done))
    assert trace.complete and seen == list(range(1, 25)) and not captured


def test_an_interrupted_recording_goes_on_to_the_same_end(tmp_path, captured):
    model, ids = small(), document(LONG)
    whole = record(model, ids, out=tmp_path / "whole").path.read_bytes()
    for n in (1, 4, 9, 20, 23):
        path = tmp_path / f"part{n}"
        with pytest.raises(StopError):
            record(model, ids, out=path, progress=stop_after(n))
        assert Trace.open(path).done == n and validate(path) == []
        assert record(model, ids, out=path).path.read_bytes() == whole


def test_a_replay_of_what_was_recorded_so(captured):
    model = small()
    trace = record(model, document(LONG), detail="thin")
    for s in (0, 8, 22, 23):
        assert np.array_equal(replay(model, trace, s).memory, trace.segments[s].memory)


@pytest.mark.parametrize("alignment", ["left", "right", "center"])
@pytest.mark.parametrize("name", FAMILIES)
@torch.no_grad()
def test_a_whole_document(monkeypatch, captured, name, alignment):
    model, ids = small(name), torch.as_tensor(document(2 * LONG)).view(2, LONG)
    model.alignment = alignment
    fixed = model(ids, read=fast_unroll)
    assert len(captured) == (0 if alignment == "right" else 1)  # where the first segment is the short one
    usual = plain(monkeypatch, lambda: model(ids, read=fast_unroll))
    for part in ("memory", "logits"):
        assert torch.equal(fixed[part], usual[part])
    assert torch.equal(fixed.state, usual.state)


def test_where_something_is_learned_or_changed_it_is_the_plain_loop(captured):
    model, ids = small().requires_grad_(True), torch.as_tensor(document(LONG))[None]
    model(ids, ids, read=fast_unroll).loss.backward()
    assert model.cell.memory.grad is not None and not captured
    with torch.no_grad():
        model(ids, before=lambda i, state: state, read=fast_unroll)
        model(ids, attention_mask=torch.ones_like(ids), read=fast_unroll)
    assert not captured


@torch.no_grad()
def test_segments_are_asked_for_as_they_are_needed(captured):
    """A document may be made while it is read: no more than a window of it is there at once."""
    model, asked = small(), []
    segments = model.split(torch.as_tensor(document(LONG))[None])

    class Pages(list):
        def __iter__(self):
            for i, segment in enumerate(segments):
                asked.append(i)
                yield segment

    steps = fast_unroll(model.cell, model.backbone, Pages(segments), state=model.cell.initial(1))
    states = []
    for i, (segment, _, state) in enumerate(steps):
        assert segment is segments[i] and len(asked) <= i + 2 * 7 + 1
        states.append(state)
    expected = [s for _, _, s in unroll(model.cell, model.backbone, segments, state=model.cell.initial(1))]
    assert len(captured) == 1 and all(map(torch.equal, states, expected)) and len(states) == 24


@torch.inference_mode()
def test_the_device_runs_ahead_and_nothing_is_overwritten_before_it_is_taken(captured):
    model = small()
    segments = model.split(torch.as_tensor(document(20 * LENGTH))[None])
    watcher = Recorder(model.backbone)
    observe = observer(model, watcher, "thin")
    expected = [
        {name: value.clone() for name, value in observe(*seen).items()}
        for seen in unroll(model.cell, watcher, segments, state=model.cell.initial(1))
    ]
    step, launched = fixed_step(model.cell, watcher, segments, model.cell.initial(1)), []
    for i, values in enumerate(observed(step, segments, lambda *seen: launched.append(1) or observe(*seen))):
        steps = len(launched) - 1 - cuda_graph.WARM_UP - 2 * cuda_graph.CHECKED  # one more was run to know the shapes
        assert steps == min(i + 3, 20)
        for name, value in expected[i].items():
            assert np.array_equal(values[name], value, equal_nan=True), (i, name)
    assert i == 19


def test_a_ring_keeps_every_type_and_shape():
    like = {
        "a": torch.zeros(2, 3, dtype=torch.float16), "b": torch.zeros(2, 1, 5, dtype=torch.float64),
        "empty": torch.zeros(2, 0, 4), "c": torch.zeros(2, 7),
    }  # fmt: skip
    ring, kept = Ring(like), []
    for i in range(3 * cuda_graph.AHEAD):
        values = {name: torch.randn(t.shape).to(t.dtype) for name, t in like.items()}
        ring.put(values, torch.tensor([i]))
        ring.send(i)
        kept.append(values)
        if i >= cuda_graph.AHEAD - 1:
            then = i - cuda_graph.AHEAD + 1
            assert all(np.array_equal(a, kept[then][name]) for name, a in ring.take(then).items())


@pytest.mark.parametrize("after", [0, 2])
def test_a_capture_that_fails_is_said_and_the_step_is_called_instead(tmp_path, monkeypatch, captured, after):
    def fail(step):
        for _ in range(after):
            step()
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    model = small()
    usual = plain(monkeypatch, lambda: record(model, document(LONG), out=tmp_path / "usual"))
    monkeypatch.setitem(cuda_graph.CAPTURE, "cpu", fail)
    with pytest.warns(UserWarning, match="cannot be captured as a CUDA graph, so it runs slower: operation not"):
        trace = record(model, document(LONG), out=tmp_path / "called")
    assert trace.path.read_bytes() == usual.path.read_bytes()


def forgets(step):
    """A graph that leaves the state as it was."""
    kept = map_state(torch.clone, step.state)
    step()
    map_state(torch.Tensor.copy_, step.state, kept)


def changes(at: int, share: float):
    """A graph whose state after step `at` is another one by a share of itself."""

    def launch(step):
        step()
        if int(step.number) == at:
            map_state(lambda tensor: tensor.mul_(1 + share), step.state)

    return launch


def keeps(name: str, value: float):
    """A graph that reads rightly and keeps something else."""

    def launch(step):
        step()
        if step.ring:
            step.ring.parts[name][(int(step.number) - 1) % cuda_graph.AHEAD].fill_(value)

    return launch


def plant(monkeypatch, launch):
    """Instead of a capture that is right: one whose every launch is launch(step)."""
    monkeypatch.setitem(cuda_graph.CAPTURE, "cpu", lambda step: lambda: launch(step))


WRONG = {
    "forgets": (forgets, r"its \w+ after step [12] by up to"),
    "one_bit": (changes(1, 2**-52), "its state after step 1 by up to"),
    "only_the_third": (changes(3, 1e-6), "its state after step 3 by up to"),
    "kept": (keeps("mass", 0.5), "its mass after step 1 by up to"),
    "nan": (keeps("read", torch.nan), "its read after step 1 by up to nan"),
}


@pytest.mark.parametrize("cell", ["rmt", "armt", "transformer-xl"])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_graph_that_gives_other_numbers_is_said_and_not_used(tmp_path, monkeypatch, captured, wrong, cell):
    if cell == "armt" and wrong == "nan":
        pytest.skip("its tokens read no memory by attention")
    model = small("gpt2", cell)
    usual = plain(monkeypatch, lambda: record(model, document(LONG), detail="thin", out=tmp_path / "usual"))
    launch, said = WRONG[wrong]
    plant(monkeypatch, launch)
    with pytest.warns(UserWarning, match=f"gives other numbers than the plain loop .{said}.*runs without it and slow"):
        trace = record(model, document(LONG), detail="thin", out=tmp_path / "planted")
    assert trace.path.read_bytes() == usual.path.read_bytes()


@torch.no_grad()
def test_a_wrong_graph_of_a_whole_document(monkeypatch, captured):
    model, ids = small(), torch.as_tensor(document(LONG))[None]
    usual = plain(monkeypatch, lambda: model(ids, read=fast_unroll))
    plant(monkeypatch, forgets)
    with pytest.warns(UserWarning, match="gives other numbers than the plain loop"):
        found = model(ids, read=fast_unroll)
    assert torch.equal(found.memory, usual.memory) and torch.equal(found.logits, usual.logits)


@pytest.mark.parametrize(("share", "taken"), [(0.004, True), (0.05, False)])
@torch.no_grad()
def test_half_precision_may_round_otherwise_and_no_more(monkeypatch, captured, share, taken):
    model, ids = small(dtype=torch.bfloat16), torch.as_tensor(document(LONG))[None]
    plant(monkeypatch, changes(3, share))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model(ids, read=fast_unroll)
    assert len(said) == (not taken)


class HostWouldWait(TorchDispatchMode):
    """Fails where an operator looks at numbers, or brings some from the host: a capture refuses both."""

    NAMES = (
        "_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "lift_fresh", "equal", "unique", "item",
        "_unique2", "repeat_interleave", "masked_scatter",
    )  # fmt: skip

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        assert name not in self.NAMES, name
        if name in ("index", "index_put", "index_put_"):
            assert not any(t is not None and t.dtype == torch.bool for t in args[1]), name
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("cell", STEADY)
@pytest.mark.parametrize(
    "name", ["gpt2", "gpt2_inverse_layer", "llama_gqa", "gpt_neox", "opt", "mistral_window", "bert"]
)
@torch.inference_mode()
def test_a_step_never_looks_at_a_number(captured, name, cell):
    model = small(name, cell, dtype=torch.float32)
    ids = torch.as_tensor(document(5 * LENGTH))[None]
    segments = model.split(ids, labels=ids if model.backbone.head == "lm" else None)[:-1]
    for deferred in (False, True):  # on CUDA the maps of all layers are made together
        watcher = Recorder(model.backbone, deferred=deferred)
        step = fixed_step(model.cell, watcher, segments, model.cell.initial(1))
        observe = observer(model, watcher, "thin")
        step.watch(observe)
        with HostWouldWait():
            step()


def test_that_a_step_would_be_caught_looking():
    for look in (lambda t: t[0].item(), lambda t: bool(t.any()), lambda t: t[t > 0], lambda t: torch.tensor([1.0])):
        with pytest.raises(AssertionError), HostWouldWait():
            look(torch.arange(3))


def test_the_benchmark_of_a_gpu_reads_the_same_on_any_device(captured):
    from types import SimpleNamespace

    from benchmarks import on_device

    sizes = {"layers": 1, "width": 16, "heads": 2, "n": 8, "segments": 20, "eager_segments": 3, "rounds": 2, "batch": 2}
    options = SimpleNamespace(device="cpu", family="bert", precision="fp32", **sizes)
    found = {row["variant"]: row for row in on_device.rows(options)}
    assert [row["segments"] for row in found.values()] == [20, 20, 20, 3]
    assert len(captured) == 3 * 3  # none, thin and file, once before and in each round
    assert found["none"]["time_over_none"]["median"] == 1.0
    assert all(row["seconds"]["median"] > 0 for row in found.values())


# -- on a GPU


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: a capture is tried nowhere")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("cell", STEADY)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_captured_recording_is_the_plain_one(monkeypatch, name, cell, dtype):
    model, ids = small(name, cell, dtype=dtype).cuda(), document(10 * LONG)
    with monkeypatch.context() as patch:
        patch.delitem(cuda_graph.CAPTURE, "cuda")
        usual = record(model, ids, detail="thin")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a capture that fails
        fixed = record(model, ids, detail="thin")
    assert validate(fixed.path) == []
    for field in usual.arrays:
        if field != "crc":
            assert np.array_equal(fixed.arrays[field], usual.arrays[field], equal_nan=True), field


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device: a capture is tried nowhere")
@torch.inference_mode()
def test_a_captured_document_is_the_plain_one(monkeypatch):
    model, ids = small(dtype=torch.float32).cuda(), torch.as_tensor(document(10 * LONG))[None].cuda()
    fixed = model(ids, read=fast_unroll)
    monkeypatch.delitem(cuda_graph.CAPTURE, "cuda")
    usual = model(ids, read=fast_unroll)
    assert torch.equal(fixed.memory, usual.memory) and torch.equal(fixed.logits, usual.logits)
