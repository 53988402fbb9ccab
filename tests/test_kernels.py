"""The private kernels: tried before they are trusted, and done without where they are not."""

import pytest
import torch
from families import make
from torch.nn import functional as F
from torch.nn.attention import SDPBackend
from watching import augmented, eager, expected, heads, look, recorded, truth

from rmt.backbone import HFBackbone, kernels


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
