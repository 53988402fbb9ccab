"""Reformer's attention in buckets: the paper's, and a package's."""

import pytest
import torch
from foreign import tiny
from references import expected, numbers

from rmt.errors import InputError
from rmt.memory import CELLS
from rmt.memory.context import ExactContext

T = 12
SEEN = torch.ones(T, T, dtype=torch.bool).tril()[None, None]


def drawn(seed: int = 0):
    torch.manual_seed(seed)
    query, value = torch.randn(2, 2, 1, T, 8, dtype=torch.float64)
    return query, value


def read(cell, query, value):
    return cell.attend(0, query, query, value, SEEN, 8**-0.5)


@pytest.mark.parametrize("n_hashes", [1, 3])
def test_a_token_sees_the_earlier_ones_of_its_buckets(n_hashes):
    query, value = drawn()
    cell = CELLS["reformer"](16, 4, d_head=8, n_buckets=4, n_hashes=n_hashes).double()
    output, weights = read(cell, query, value)
    buckets = cell.buckets(query)
    assert buckets.shape == (2, 1, n_hashes, T) and set(buckets.unique().tolist()) <= {0, 1, 2, 3}
    for b in range(2):
        for i in range(T):
            others = [j for j in range(i) if (buckets[b, 0, :, j] == buckets[b, 0, :, i]).any()] or [i]
            keys = torch.nn.functional.normalize(query[b, 0, others], dim=-1)
            share = (keys @ query[b, 0, i] * 8**-0.5).softmax(0)
            assert torch.allclose(weights[b, 0, i, others], share, atol=1e-12)
            assert torch.allclose(output[b, 0, i], share @ value[b, 0, others], atol=1e-12)


def test_attention_in_buckets_is_that_of_reformer_pytorch():
    """One round with two buckets, in which its sorting and chunks lose nothing."""
    query, value = numbers("reformer", 2, 2, T, 8)
    cell = CELLS["reformer"](16, 4, d_head=8, n_buckets=2, n_hashes=1).double()
    cell.directions.copy_(expected("reformer directions"))
    assert torch.allclose(read(cell, query[:, None], value[:, None])[0][:, 0], expected("reformer"), rtol=0, atol=1e-10)


def test_one_pair_of_buckets_that_all_fall_into_is_full_attention_of_shared_queries():
    query, value = drawn()
    cell = CELLS["reformer"](16, 4, d_head=8, n_buckets=2, n_hashes=40).double()  # some round joins any two
    whole = CELLS["reformer"](16, 4, d_head=8, n_buckets=2, n_hashes=1).double()
    whole.directions.zero_()
    for ours, theirs in zip(read(cell, query, value), read(whole, query, value), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_its_state_is_the_text():
    model = tiny("llama", "reformer", n_memory=24).double()
    assert isinstance(model.cell, ExactContext)
    with pytest.raises(InputError, match="come in pairs"):
        CELLS["reformer"](16, 4, d_head=8, n_buckets=3)
