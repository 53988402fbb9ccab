"""Thin maps beside the fused kernel against the attention that stock models hand out when they run eagerly."""

from types import SimpleNamespace

import pytest
import torch
from families import ALL, DECODERS, EAGER, EAGER_DECODERS, FUSED, make
from torch.nn import functional as F
from torch.nn.attention import SDPBackend
from torch.utils._python_dispatch import TorchDispatchMode

from rmt import kernels
from rmt.attention import EMPTY, Maps, Scores, attention, thin
from rmt.backbone import HFBackbone, Layout
from rmt.errors import InputError
from rmt.recorder import Recorder

B, M, T = 2, 3, 24
PADS = 4  # at the end of the second sample's tokens
# Families whose own eager softmax is float64 in a float64 model; the others' is always float32.
EAGER_IS_64 = {"gpt2", "gpt2_inverse_layer", "bert", "roberta"}
CAUSAL = DECODERS | EAGER_DECODERS
NAMES = [*FUSED, *EAGER]


def augmented(name: str, dtype=torch.float32, *, padded: bool, tokens: int = T):
    """Random augmented embeddings x (B, N, D), their layout, and the mask (B, N) of a batch with padding."""
    if name in CAUSAL:
        layout = Layout(slice(M, M + tokens), slice(0, M), slice(M + tokens, 2 * M + tokens))
        n = tokens + 2 * M
    else:
        layout = Layout(slice(M + 2, M + 2 + tokens), slice(1, M + 1), slice(1, M + 1), answer=0)
        n = tokens + M + 3
    x = torch.randn(B, n, 32, generator=torch.Generator().manual_seed(1)).to(dtype)
    mask = torch.ones(B, n, dtype=torch.bool)
    if padded:
        end = layout.tokens.stop if name in CAUSAL else n
        mask[1, end - PADS : end] = False
    return x, layout, mask if padded else None


def eager(name: str, x, mask, dtype=torch.float32) -> torch.Tensor:
    """What the stock model hands out: (L, B, H, N, N)."""
    trunk = make(name, attention="eager", dtype=dtype).base_model
    mask = torch.ones(x.shape[:2]) if mask is None else mask
    with torch.no_grad():
        output = trunk(inputs_embeds=x, attention_mask=mask.long(), output_attentions=True)
    return torch.stack(output.attentions)


def recorded(name: str, x, layout, mask, dtype=torch.float32, **options):
    """Our recorder's maps stacked over layers, and the hidden states of the recorded run."""
    recorder = Recorder(HFBackbone(make(name, dtype=dtype)), **options)
    with torch.no_grad():
        output = recorder(x, layout=layout, mask=mask)
    fields = ("read", "write", "answer_read", "mass", "attention")
    maps = {
        f: torch.stack([getattr(m, f) for m in recorder.maps])
        for f in fields
        if getattr(recorder.maps[0], f) is not None
    }
    return maps, output.hidden


def expected(p: torch.Tensor, layout: Layout, mask) -> dict[str, torch.Tensor]:
    """The same maps cut from whole ones (L, B, H, N, N)."""
    tokens, read, write = layout.tokens, layout.read, layout.write
    last = torch.full((B,), layout.tokens.stop - 1) if layout.answer is None else torch.full((B,), layout.answer)
    if mask is not None and layout.answer is None:
        last[1] -= PADS
    mass = [p[..., rows, columns].sum((-1, -2)) for rows, columns in ((tokens, read), (write, tokens), (write, read))]
    mass = torch.stack([*mass, p.shape[-1] - sum(mass)], dim=-1)
    answer = torch.stack([p[:, b, :, last[b], read] for b in range(B)], dim=1)
    return {"read": p[..., tokens, read], "write": p[..., write, tokens], "answer_read": answer, "mass": mass}


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


class Layer(torch.nn.Module):
    def __init__(self, causal: bool):
        super().__init__()
        self.is_causal = causal


def look(query, key, value, mask=None, causal=True, **options) -> tuple[torch.Tensor, Scores]:
    seen = []
    output, _ = attention(Layer(causal), query, key, value, mask, capture=seen.append, **options)
    return output, seen[0]


def cut(scores: Scores, layout: Layout, answer: int, causal: bool = True) -> Maps:
    return thin([scores], SimpleNamespace(fused=True, causal=causal), layout, answer).layers()[0]


def truth(query, key, mask, causal) -> torch.Tensor:
    """Softmax of the same numbers in float64."""
    scores = query.double() @ key.double().transpose(2, 3) * query.shape[-1] ** -0.5
    n = scores.shape[-1]
    if causal:
        mask = torch.ones(n, n, dtype=torch.bool).tril()
    return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


def heads(n: int, d: int, dtype, scale: float = 1.0):
    """query, key, value (2, 3, n, d), laid out in memory as transformers does."""
    generator = torch.Generator().manual_seed(3)
    draw = [torch.randn(2, n, 3, d, generator=generator) for _ in range(3)]
    return [(t * s).to(dtype).transpose(1, 2) for t, s in zip(draw, (scale, 1, 1), strict=True)]


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


# -- the private kernels


@pytest.fixture
def trial_anew():
    kernels.trusted.cache_clear()
    yield
    kernels.trusted.cache_clear()


CPU_FLASH = ("cpu", SDPBackend.FLASH_ATTENTION.value)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_the_fused_kernel_of_this_machine_passes_its_trial(trial_anew, dtype, masked):
    assert kernels._trial(*CPU_FLASH, dtype, 16, masked, not masked) is None


def spoil(change):
    def kernel(*args):
        return change(*kernels._cpu_flash(*args))

    return kernel


@pytest.mark.filterwarnings("ignore:recording computes its own")
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda output, lse: (output, lse / torch.log(torch.tensor(2.0))), "log-sum-exp is off"),  # base 2
        (lambda output, lse: (output, lse.transpose(1, 2)), "log-sum-exp is off"),
        (lambda output, lse: (output, lse * torch.nan), "log-sum-exp is off"),
        (lambda output, lse: (output + 1e-6, lse), "another output"),
        (lambda output: None, "cannot be called"),
    ],
    ids=["base_2", "shape", "nan", "output", "signature"],
)
def test_a_kernel_that_changed_is_found_out_and_not_used(trial_anew, monkeypatch, change, complaint):
    monkeypatch.setitem(kernels.KERNELS, CPU_FLASH, spoil(change))
    assert complaint in kernels._trial(*CPU_FLASH, torch.float32, 8, False, True)
    query, key, value = heads(300, 8, torch.float32)
    output, scores = look(query, key, value)
    assert torch.equal(output.transpose(1, 2), F.scaled_dot_product_attention(query, key, value, is_causal=True))
    assert (scores.full() - truth(query, key, None, True)).abs().max() <= 1e-6


@pytest.mark.parametrize("name", ["gpt2", "bert", "llama_gqa"])
@pytest.mark.parametrize("padded", [False, True], ids=["whole", "padded"])
def test_maps_from_public_operations_alone(monkeypatch, trial_anew, name, padded):
    monkeypatch.setattr(kernels, "KERNELS", {})
    monkeypatch.setattr(kernels, "ROWS", 7)  # more than one block
    x, layout, mask = augmented(name, padded=padded)
    theirs = expected(eager(name, x, mask), layout, mask)
    ours, hidden = recorded(name, x, layout, mask)
    with torch.no_grad():
        assert torch.equal(hidden, HFBackbone(make(name))(x, layout=layout, mask=mask).hidden)
    for field, value in theirs.items():
        assert (ours[field] - value).abs().max() <= 1e-6 * (x.shape[1] if field == "mass" else 1), field


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_cuda_kernels_pass_their_trial(trial_anew, dtype, masked):
    query, key, value = (t.cuda() for t in heads(67, 64, dtype))
    mask = torch.ones(2, 1, 67, 67, dtype=torch.bool, device="cuda").tril() if masked else None
    choice = torch._fused_sdp_choice(query, key, value, mask, 0.0, not masked)
    assert kernels._trial("cuda", choice, dtype, 64, masked, not masked) is None


def test_a_family_that_hands_out_nothing_is_named():
    backbone = HFBackbone(make("gpt_neo"))
    backbone.n_layers = 4
    x, layout, _ = augmented("gpt_neo", padded=False)
    with pytest.raises(InputError, match="GPTNeoForCausalLM hands out the attention of 3 of its 4 layers"):
        Recorder(backbone)(x, layout=layout)


def test_every_family_is_tried():
    assert set(NAMES) < set(ALL)
