"""Thin maps beside the fused kernel against the attention that stock models hand out when they run eagerly."""

import pytest
import torch
from families import ALL, make
from torch.utils._python_dispatch import TorchDispatchMode
from watching import (
    EAGER_IS_64,
    NAMES,
    Layer,
    augmented,
    cut,
    eager,
    expected,
    heads,
    look,
    recorded,
    truth,
)

from rmt.backbone import HFBackbone, Layout
from rmt.backbone.attention import EMPTY, attention
from rmt.errors import InputError
from rmt.recorder import Recorder


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("name", NAMES)
def test_maps_are_those_of_eager_attention(name, dtype, padded):
    x, layout, mask = augmented(name, dtype, padded=padded)
    theirs = expected(eager(name, x, mask, dtype), layout, mask)
    ours, _ = recorded(name, x, layout, mask, dtype)
    bound = 1e-14 if dtype == torch.float64 and name in EAGER_IS_64 else 1e-6
    assert theirs["read"].std() > 0.01, "the weights are too small for attention to differ from place to place"
    for field, value in theirs.items():
        scale = x.shape[1] if field == "mass" else 1  # a sum over as many rows
        assert ours[field].shape == value.shape
        assert (ours[field] - value).abs().max() <= bound * scale, field


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("name", NAMES)
def test_whole_maps_of_a_replay(name, padded):
    x, layout, mask = augmented(name, padded=padded)
    ours, _ = recorded(name, x, layout, mask, full=True)
    theirs = eager(name, x, mask)
    assert (ours["attention"] - theirs).abs().max() <= 1e-6


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=["fp32", "fp64", "bf16"])
@pytest.mark.parametrize("name", NAMES)
def test_recording_does_not_change_the_run(name, dtype, padded):
    x, layout, mask = augmented(name, dtype, padded=padded)
    with torch.no_grad():
        plain = HFBackbone(make(name, dtype=dtype))(x, layout=layout, mask=mask).hidden
    for options in ({}, {"full": True}, {"deferred": True}):
        assert torch.equal(recorded(name, x, layout, mask, dtype, **options)[1], plain)


@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
@pytest.mark.parametrize("name", ["gpt2_inverse_layer", "llama_gqa", "bert", "modernbert", "gpt_neo"])
def test_maps_deferred_to_the_end_of_the_segment_are_the_same(name, padded):
    x, layout, mask = augmented(name, padded=padded)
    now, later = (recorded(name, x, layout, mask, full=True, deferred=deferred)[0] for deferred in (False, True))
    for field, value in now.items():
        torch.testing.assert_close(later[field], value, rtol=0, atol=1e-6 * (x.shape[1] if field == "mass" else 1))


@pytest.mark.parametrize("name", ["gpt2", "llama_gqa", "bert"])
def test_no_square_matrix_is_made(name):
    x, layout, _ = augmented(name, padded=False, tokens=70)
    n, shapes = x.shape[1], []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            results = result if isinstance(result, (tuple, list)) else [result]
            shapes.extend(tuple(item.shape) for item in results if isinstance(item, torch.Tensor))
            return result

    recorder = Recorder(HFBackbone(make(name)))
    with torch.no_grad():
        recorder(x, layout=layout)  # the kernel's trial, once
        with Watch():
            recorder(x, layout=layout)
    assert sum(n in shape for shape in shapes) > 50
    assert not [shape for shape in shapes if shape.count(n) > 1]


# -- the attention function on its own


@pytest.mark.parametrize("scale", [1, 4, 8])
@pytest.mark.parametrize("kind", ["causal", "both_ways", "masked"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_maps_are_true_to_their_inputs(dtype, kind, scale):
    n, m = 300, 10
    query, key, value = heads(n, 64, dtype, scale)
    mask = None
    if kind == "masked":
        mask = torch.ones(2, 1, n, n, dtype=torch.bool).tril()
        mask[1, :, :, 200:210] = False
        mask |= torch.eye(n, dtype=torch.bool)
    _, scores = look(query, key, value, mask, kind == "causal")
    true = truth(query, key, mask, kind == "causal")
    maps = cut(scores, Layout(slice(m, n - m), slice(0, m), slice(n - m, n)), n - m - 1, kind != "both_ways")
    assert (maps.read - true[:, :, m:-m, :m]).abs().max() <= 1e-4
    assert (maps.write - true[:, :, -m:, m:-m]).abs().max() <= 1e-4
    assert (scores.full() - true).abs().max() <= 1e-4


def test_attention_without_read_memory():
    query, key, value = heads(20, 8, torch.float64)
    _, scores = look(query, key, value)
    maps = cut(scores, Layout(slice(0, 16), EMPTY, slice(16, 20)), 15)
    assert maps.read.shape == (2, 3, 16, 0) and maps.answer_read.shape == (2, 3, 0)
    assert (maps.mass[..., [0, 2]] == 0).all()
    torch.testing.assert_close(maps.mass.sum(-1), torch.full((2, 3), 20.0, dtype=torch.float64))


def test_dropout_is_that_of_the_plain_run_and_not_in_the_maps():
    query, key, value = heads(20, 8, torch.float32)
    torch.manual_seed(5)
    plain, _ = attention(Layer(True), query, key, value, None, dropout=0.5)
    torch.manual_seed(5)
    output, scores = look(query, key, value, dropout=0.5)
    assert torch.equal(output, plain)
    assert (scores.full() - truth(query, key, None, True)).abs().max() <= 1e-6


@pytest.mark.parametrize("masked", [False, True])
def test_gradients_flow_past_the_capture_and_not_through_it(masked):
    leaves = [t.detach().requires_grad_() for t in heads(20, 8, torch.float64)]
    mask = torch.ones(2, 1, 20, 20, dtype=torch.bool).tril() if masked else None
    plain, _ = attention(Layer(True), *leaves, mask)
    maps, layout = [], Layout(slice(4, 16), slice(0, 4), slice(16, 20))
    output, _ = attention(Layer(True), *leaves, mask, capture=lambda scores: maps.extend(scores.parts(layout)))
    assert torch.equal(output, plain)
    assert not any(part.requires_grad for part in maps)
    for ours, theirs in zip(
        torch.autograd.grad(output.square().sum(), leaves),
        torch.autograd.grad(plain.square().sum(), leaves),
        strict=True,
    ):
        assert torch.equal(ours, theirs) and theirs.abs().max() > 0


def test_padding_further_than_the_window_from_any_token_sees_itself():
    query, key, value = heads(20, 8, torch.float32)
    mask = (torch.arange(20) < 10).expand(2, 1, 20, 20)
    output, scores = look(query, key, value, mask, False, sliding_window=4)
    assert output.isfinite().all()
    assert (scores.full()[:, :, 15, 15] == 1).all()
    near = (torch.arange(20)[:, None] - torch.arange(20)).abs() < 4
    assert (scores.full()[:, :, :10] - truth(query, key, mask & near, False)[:, :, :10]).abs().max() <= 1e-6


def test_softmax_with_something_else_in_it_is_refused():
    query, key, value = heads(8, 8, torch.float32)
    with pytest.raises(InputError, match="softcap"):
        attention(Layer(True), query, key, value, None, softcap=50.0)


def test_a_family_that_hands_out_nothing_is_named():
    backbone = HFBackbone(make("gpt_neo"))
    backbone.n_layers = 4
    x, layout, _ = augmented("gpt_neo", padded=False)
    with pytest.raises(InputError, match="GPTNeoForCausalLM hands out the attention of 3 of its 4 layers"):
        Recorder(backbone)(x, layout=layout)


def test_every_family_is_tried():
    assert set(NAMES) < set(ALL)
