"""Recordings: they hold the run that was watched, and any segment of it can be replayed.

More than 300 lines: exactness, losses and interrupted runs of one function, on the same tiny models.
"""

from itertools import product

import numpy as np
import pytest
import torch
from families import CLASSES, DECODERS, VOCABULARY, make

from rmt.backbone import HFBackbone
from rmt.backbone.protocol import CHUNK
from rmt.errors import InputError
from rmt.memory import CELLS, MECHANISMS
from rmt.model import Model
from rmt.recorder import record, replay
from rmt.tasks.base import Span
from rmt.trace import Trace, validate
from rmt.viewer.slices import Run, segment_parts

LENGTH, TOKENS = 10, 45  # four whole segments and a short one
FAMILIES = ["gpt2", "llama_gqa", "bert"]
FORMS = ("rmt", "rmt-r", "armt", "transformer-xl", "compressive", "none")  # the forms that states have
AROUND = [kind for kind, record in MECHANISMS.items() if not record.backbone]  # mechanisms that go around a backbone


def small(name: str = "gpt2", cell: str = "rmt", *, dtype=torch.float64, head=None, seed=0) -> Model:
    backbone = HFBackbone(make(name, head=head, dtype=dtype), cls_id=1, sep_id=2)
    if not backbone.causal and not MECHANISMS[cell].encoder:
        pytest.skip("reads with a decoder only")
    if backbone.n_positions is not None and not MECHANISMS[cell].table:
        pytest.skip("has no form for a table of positions")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = CELLS[cell].fit(backbone, **({} if cell == "none" else {"n_memory": 3, "initial_std": 0.5}))
    model = Model(backbone, made.to(dtype), segment_length=LENGTH).eval().requires_grad_(False)
    model.about.classes = [f"place {i}" for i in range(CLASSES)] if backbone.head == "classify" else []
    return model


def document(n: int = TOKENS) -> np.ndarray:
    return np.random.default_rng(4).integers(3, VOCABULARY, n)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])  # fp64: see test_memory.py
@pytest.mark.parametrize(
    ("name", "cell"),
    [*product(FAMILIES, FORMS), *(("llama_gqa", cell) for cell in AROUND if cell not in FORMS)],
)
def test_a_recording_is_the_run_and_a_replay_is_the_recording(name, cell, dtype):
    model, ids = small(name, cell, dtype=dtype), document()
    trace = record(model, ids, detail="thin")
    with torch.inference_mode():
        plain = model(torch.as_tensor(ids)[None])
    assert validate(trace.path) == [] and trace.complete
    exact = np.float64 if dtype == torch.float64 else np.float32
    assert np.array_equal(trace.memory, plain.memory[0].to(torch.promote_types(dtype, torch.float32)).numpy())
    assert trace.memory.dtype == exact
    for s in (0, 2, -1):
        kept, again = trace.segments[s], replay(model, trace, s)
        assert np.array_equal(again.memory, kept.memory)
        for field in ("mass", "answer_read"):
            assert np.array_equal(getattr(again, field).astype(np.float32), getattr(kept, field))
        for field in ("read", "write"):
            assert np.array_equal(getattr(again, field).astype(np.float16), getattr(kept, field))
        assert np.allclose(again.attention.sum(-1), 1, atol=1e-5)
        assert np.allclose(again.mass.sum(-1), again.attention.shape[-1])
    if model.backbone.head == "classify":
        expected = plain.logits[0].float().softmax(-1).numpy()
        assert np.array_equal(np.array(list(trace.probabilities.values()), np.float32), expected)
        assert np.array_equal(again.logits, plain.logits[0].to(torch.promote_types(dtype, torch.float32)).numpy())


@pytest.mark.parametrize("name", FAMILIES)
def test_thin_maps_are_cut_from_the_whole_ones(name):
    model = small(name)
    trace = record(model, document(), detail="thin")
    m = 3
    for kept, again in ((trace.segments[s], replay(model, trace, s)) for s in range(5)):
        n = len(kept.tokens)
        tokens, read = (slice(m, m + n), slice(0, m)) if model.backbone.causal else (slice(5, 5 + n), slice(1, 4))
        write = slice(m + n, m + n + m) if model.backbone.causal else read
        p = again.attention
        assert np.allclose(again.read, p[:, :, tokens, read], atol=1e-7)
        assert np.allclose(again.write, p[:, :, write, tokens], atol=1e-7)
        assert np.allclose(kept.token_write, p[:, :, write, tokens].mean((0, 1, 2)), atol=1e-6)
        assert np.allclose(kept.token_read, p[:, :, tokens, read].sum(-1).mean((0, 1)), atol=1e-6)
        answer = tokens.stop - 1 if model.backbone.causal else 0
        assert np.allclose(kept.answer_read, p[:, :, answer, read], atol=1e-6)


@pytest.mark.parametrize("detail", ["memory", "summary", "thin"])
def test_levels_of_detail(detail):
    trace = record(small(), document(), detail=detail)
    kept = trace.segments[1]
    assert (kept.mass is None, kept.read is None) == (detail == "memory", detail != "thin")
    assert np.array_equal(trace.memory, record(small(), document(), detail="thin").memory)


def test_a_family_that_hands_out_no_attention_still_has_memory():
    model = small("gpt_neo")
    model.backbone.n_layers = 4
    with pytest.raises(InputError, match="record it at detail 'memory'"):
        record(model, document())
    assert record(model, document(), detail="memory").complete


@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_the_reset_control_starts_every_segment_from_the_initial_memory(name):
    model = small(name)
    trace = record(model, document(), control="reset", detail="thin")
    ids = torch.as_tensor(document())[None]
    with torch.inference_mode():
        alone = model(ids[:, 20:30]).memory[0, -1]
    assert np.array_equal(trace.segments[2].memory, alone)
    assert np.array_equal(replay(model, trace, 2).read.astype(np.float16), trace.segments[2].read)


@pytest.mark.parametrize("cell", AROUND)
def test_the_question_is_asked_of_every_state(cell):
    model, ids = small("bert", cell), document()
    trace = record(model, ids, spans=[Span("question", 38, 45)])
    question = torch.as_tensor(ids[38:45])[None]
    state = model.cell.initial(1)
    with torch.inference_mode():
        for s in range(trace.n_segments + 1):
            expected = model(question, state=state).logits[0].softmax(-1)
            assert np.allclose(trace.arrays["asked"][s], expected, atol=1e-6)
            if s < trace.n_segments:
                state = model(torch.as_tensor(ids[10 * s : 10 * s + 10])[None], state=state).state


# -- logits and loss only where asked


class Head:
    """Counts the positions a language model's head runs at, and the most of them at once."""

    def __init__(self, model: Model):
        self.rows = []
        model.backbone.model.get_output_embeddings().register_forward_hook(self)

    def __call__(self, module, args, output):
        self.rows.append(output.shape[:-1].numel())


@pytest.mark.parametrize("name", DECODERS)
def test_loss_is_the_same_with_and_without_logits(name):
    model, ids = small(name), torch.as_tensor(document())[None]
    whole = model(ids, labels=ids)
    lean = model(ids, labels=ids, keep_logits=False)
    trace = record(model, ids[0])
    assert lean.logits is None and torch.equal(lean.memory, whole.memory)
    torch.testing.assert_close(lean.loss, whole.loss)
    losses = torch.nn.functional.cross_entropy(whole.logits[0, :-1], ids[0, 1:], reduction="none")
    assert np.allclose(trace.arrays["loss"][:-1], losses, atol=1e-5) and np.isnan(trace.arrays["loss"][-1])


def test_each_token_is_shown_with_the_loss_that_it_was():
    model, ids = small(), torch.as_tensor(document())
    run, reset = (Run("x", record(model, ids, control=control), "recorded") for control in (None, "reset"))
    with_memory = model(ids[None]).logits[0]
    without = torch.cat([model(part[None]).logits[0] for part in ids.split(LENGTH)])
    lost, other = (
        np.append(np.nan, torch.nn.functional.cross_entropy(logits[:-1], ids[1:], reduction="none"))
        for logits in (with_memory, without)
    )
    for s in range(run.trace.n_segments):
        _, arrays = segment_parts(run, s, reset=reset)
        own = slice(s * LENGTH, (s + 1) * LENGTH)
        np.testing.assert_allclose(arrays["loss"], lost[own], atol=1e-5)
        np.testing.assert_allclose(arrays["gain"], (other - lost)[own], atol=1e-5)
        assert np.isclose(run.measures.loss[s], np.nanmean(lost[own]), atol=1e-5)


def test_the_head_runs_where_something_is_scored_and_nowhere_else():
    model = small()
    model.segment_length = 2 * CHUNK + 5
    ids = torch.as_tensor(document(80))[None]
    labels = ids.clone()
    labels[:, :60] = -100
    head = Head(model)
    model(ids, keep_logits=False)
    record(model, ids[0], loss=False)
    assert head.rows == []
    model(ids, labels=labels, keep_logits=False)
    assert sum(head.rows) == 20


def test_the_head_runs_at_few_positions_at_a_time(monkeypatch):
    monkeypatch.setattr("rmt.backbone.protocol.CHUNK", 4)
    model = small()
    head = Head(model)
    trace = record(model, document())
    assert sum(head.rows) == TOKENS - 1 and max(head.rows) == 4
    assert np.isfinite(trace.arrays["loss"][:-1]).all()


def test_gradients_of_a_loss_without_logits():
    model, ids = small().requires_grad_(True), torch.as_tensor(document())[None]
    grads = []
    for keep_logits in (True, False):
        model.zero_grad()
        model(ids, labels=ids, keep_logits=keep_logits).loss.backward()
        grads.append([p.grad.clone() for p in model.parameters()])
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(("name", "head"), [("bert", "mlm"), ("modernbert", "mlm")])
def test_a_masked_language_model_is_watched_but_not_scored(name, head):
    model, ids = small(name, head=head), document()
    trace = record(model, ids, detail="thin")
    assert np.isnan(trace.arrays["loss"]).all() and trace.answer is None
    assert replay(model, trace, 1).logits.shape == (LENGTH, VOCABULARY)
    with pytest.raises(InputError, match="neither predicts the next token nor classifies"):
        model(torch.as_tensor(ids)[None], labels=torch.as_tensor(ids)[None])


# -- going on with an interrupted recording


class StopError(Exception):
    pass


def stop_after(n: int):
    def progress(done: int, n_segments: int) -> None:
        if done == n:
            raise StopError

    return progress


@pytest.mark.parametrize("cell", FORMS)
@pytest.mark.parametrize("name", ["gpt2", "bert"])
def test_an_interrupted_recording_goes_on_to_the_same_end(tmp_path, name, cell):
    model, ids, options = small(name, cell, dtype=torch.float32), document(), {"detail": "thin", "seed": 7}
    options["spans"] = [Span("question", 38, 45)]
    whole = record(model, ids, out=tmp_path / "whole", **options)
    for n in range(1, 5):
        path, seen = tmp_path / f"part{n}", []
        with pytest.raises(StopError):
            record(model, ids, out=path, progress=stop_after(n), **options)
        assert Trace.open(path).done == n and validate(path) == []
        record(model, ids, out=path, progress=lambda done, total, seen=seen: seen.append((done, total)), **options)
        assert seen == [(i, 5) for i in range(n + 1, 6)]
        assert path.read_bytes() == whole.path.read_bytes()


def test_a_finished_recording_is_not_made_again(tmp_path):
    path, seen = tmp_path / "t", []
    record(small(), document(), out=path)
    record(small(), document(), out=path, progress=lambda *at: seen.append(at))
    assert seen == [] and Trace.open(path).complete


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 8},
        {"detail": "memory"},
        {"control": "reset"},
        {"ids": document()[::-1].copy()},
        {"model": 3},
        {"n": 44},
    ],
    ids=["seed", "detail", "control", "text", "weights", "length"],
)
def test_another_run_of_the_same_name_starts_anew(tmp_path, change):
    path = tmp_path / "t"
    with pytest.raises(StopError):
        record(small(), document(), out=path, seed=7, progress=stop_after(2))
    open_before = Trace.open(path)
    memory = open_before.memory.copy()
    options = {"seed": 7, **{k: v for k, v in change.items() if k in ("seed", "detail", "control")}}
    ids = change.get("ids", document())[: change.get("n", TOKENS)]
    model, seen = small(seed=change.get("model", 0)), []
    trace = record(model, ids, out=path, progress=lambda done, n: seen.append(done), **options)
    assert seen[0] == 1 and trace.complete and validate(path) == []
    assert np.array_equal(open_before.memory, memory), "a trace that somebody has open changed under them"


def test_a_damaged_file_of_the_same_name_is_replaced(tmp_path):
    path = tmp_path / "t"
    whole = record(small(), document(), out=path).path.read_bytes()
    for damaged in (b"", whole[:500]):
        path.write_bytes(damaged)
        assert record(small(), document(), out=path).path.read_bytes() == whole
    path.write_bytes(b"\0" * len(whole))  # what it was cannot be told, so it may be somebody's
    with pytest.raises(InputError, match="no trace"):
        record(small(), document(), out=path)


def test_where_a_trace_cannot_be_written_a_sentence_says_so(tmp_path):
    with pytest.raises(InputError, match=r"cannot be written \(No such file or directory\); choose another path"):
        record(small(), document(), out=tmp_path / "no" / "t")


def test_replay_wants_the_weights_of_the_recording():
    trace = record(small(seed=0), document())
    with pytest.raises(InputError, match="other weights"):
        replay(small(seed=1), trace, 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("words", "no tokenizer"),
        ([], "whole numbers from 0 to 60"),
        ([1, 61], "whole numbers from 0 to 60"),
        ([-1], "whole numbers from 0 to 60"),
        ([0.5], "whole numbers from 0 to 60"),
    ],
)
def test_what_cannot_be_recorded_is_said_in_a_sentence(text, sentence):
    with pytest.raises(InputError, match=sentence):
        record(small(), text)
