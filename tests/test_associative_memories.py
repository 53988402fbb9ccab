"""Memories that are matrices: what they compute is the papers' sums, and what the packages of others compute."""

import pytest
import torch
from foreign import tiny
from references import expected, numbers
from torch.nn import functional as F

from rmt.memory import CELLS

SIZES = {"n_layers": 1, "n_heads": 2, "d_head": 8}
T = 12


@pytest.fixture(autouse=True)
def double():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def drawn(scale: float = 1.0):
    return torch.randn(3, 2, 2, T, 8) * torch.tensor([scale, scale, 1.0]).view(3, 1, 1, 1, 1)


def made(kind: str, **options):
    return CELLS[kind](16, **SIZES, **options)


class Plain:
    """A backbone without rotary positions."""

    @staticmethod
    def turned_back(query, key, positions):
        return query, key


def read(cell, parts, length: int) -> torch.Tensor:
    """What a cell's one layer makes of queries, keys and values (B, H, T, d), by segments."""
    state, outputs = tuple(part[:, 0] for part in cell.initial(2)), []
    for start in range(0, T, length):
        query, key, value = parts[:, :, :, start : start + length]
        seen = torch.ones(query.shape[2], query.shape[2], dtype=torch.bool).tril()[None, None]
        output, weights, state = cell.attend(
            0, query, key, value, seen, 8**-0.5, state, 1.0, backbone=Plain, positions=None
        )
        assert torch.allclose(weights.sum(-1), torch.ones(())) and (weights >= 0).all()
        outputs.append(output)
    return torch.cat(outputs, dim=2).detach()


def summed(query, key, value) -> torch.Tensor:
    """Each token's mean of the values up to it, weighted by products of features."""
    weights = (query @ key.transpose(-1, -2)).tril()
    return weights @ value / weights.sum(-1, keepdim=True)


def close(a, b) -> bool:
    return torch.allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["linear-attention", "performer"])
@pytest.mark.parametrize("length", [1, 5, 12])
def test_segments_are_read_as_the_whole_text(kind, length):
    cell, parts = made(kind), drawn()
    query, key = map(cell.features, parts[:2])
    assert close(read(cell, parts, length), summed(query, key, parts[2]))


@pytest.mark.parametrize("kind", ["linear-attention", "performer"])
def test_linear_attention_is_that_of_performer_pytorch(kind):
    cell = made(kind, **({"n_features": 16} if kind == "performer" else {}))
    if kind == "performer":
        cell.directions.copy_(numbers("directions", 16, 8))
    assert close(read(cell, numbers("qkv", 3, 2, 2, T, 8), 5), expected(kind))


def test_performer_reads_with_long_queries_and_keys_too():
    """Their features, taken as they are, would all be zero in any precision; a query's weights are what they were."""
    parts, cell = drawn(), made("performer")
    query, key, value = parts
    long = 1000 * query
    along = cell._along(long * long.shape[-1] ** -0.25)
    estimate = (along[..., :, None, :] + cell.features(key).log()[..., None, :, :]).logsumexp(-1)
    mask = torch.ones(T, T, dtype=bool).tril()
    weights = estimate.masked_fill(~mask, -torch.inf).softmax(-1)
    found = read(cell, torch.stack([long, key, value]), 5)
    assert torch.allclose(found, weights @ value, rtol=0, atol=1e-9)  # of exponents in the thousands
    assert read(cell, torch.stack([query, 100 * key, value]), 5).isfinite().all()


def test_features_of_performer_estimate_the_softmax():
    parts = drawn(0.5)
    softmax = F.scaled_dot_product_attention(*parts, is_causal=True)
    near, far = ((read(made("performer", n_features=n), parts, 5) - softmax).abs().mean() for n in (20_000, 16))
    assert near < 0.03 and far > 3 * near


@pytest.mark.parametrize("delta", [False, True])
def test_infini_attention_is_the_papers(delta):
    """Equations 3 to 10, written out."""
    cell, parts = made("infini", delta=delta), drawn()
    cell.beta.data.normal_()
    gate, matrix, norm = cell.beta[0].sigmoid()[:, None, None], 0, 0
    for start in range(0, T, 4):
        query, key, value = parts[:, :, :, start : start + 4]
        output, sq, sk = (
            F.scaled_dot_product_attention(query, key, value, is_causal=True),
            F.elu(query) + 1,
            F.elu(key) + 1,
        )
        if start:
            output = gate * (sq @ matrix) / (sq @ norm) + (1 - gate) * output
            value = value - (sk @ matrix) / (sk @ norm) if delta else value
        matrix, norm = matrix + sk.transpose(-1, -2) @ value, norm + sk.sum(2)[..., None]
        assert close(read(cell, parts, 4)[:, :, start : start + 4], output.detach())


@pytest.mark.parametrize("delta", [False, True])
def test_infini_attention_is_that_of_its_package(delta):
    cell = made("infini", delta=delta)
    cell.beta.data[0] = numbers("beta", 2)
    assert close(read(cell, numbers("qkv", 3, 2, 2, T, 8), 4), expected(f"infini{' delta' if delta else ''}"))


def test_memory_has_no_positions():
    """Queries and keys of a rotary backbone are turned back to what its projections made."""
    backbone, x = tiny("llama").double().backbone, torch.randn(1, 5, 16)
    layer, places = backbone.layers[0].self_attn, torch.arange(5) + 3
    query, key = (part(x).unflatten(-1, (-1, 4)).transpose(1, 2) for part in (layer.q_proj, layer.k_proj))
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    turned = apply_rotary_pos_emb(query, key, *backbone.trunk.rotary_emb(x, places[None]))
    assert not torch.allclose(turned[1], key, atol=1e-3)
    for a, b in zip(backbone.turned_back(*turned, places), (query, key), strict=True):
        assert torch.allclose(a, b, atol=1e-6)  # its angles are of float32
    plain = tiny("gpt2").backbone
    assert plain.turned_back(query, key, places)[0] is query
