"""Muon: its matrices' updates, and AdamW for everything else."""

import pytest
import torch

from rmt.train.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 16, 4), (2, 4, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    matrices = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    left, _, right = torch.linalg.svd(matrices, full_matrices=False)
    found = left.mT @ orthogonal(matrices) @ right.mT  # diagonal, where the singular vectors are the same
    values = torch.diagonal(found, dim1=1, dim2=2)
    assert ((values > 0.6) & (values < 1.3)).all()
    assert torch.allclose(found, torch.diag_embed(values), atol=1e-8)


def weights() -> tuple[torch.nn.Parameter, ...]:
    """Two matrices of one shape, one of another, and a vector."""
    generator = torch.Generator().manual_seed(1)
    shapes = [(6, 6), (6, 6), (12, 6), (6,)]
    return tuple(torch.nn.Parameter(torch.randn(*shape, generator=generator)) for shape in shapes)


def loss(weights) -> torch.Tensor:
    first, second, third, vector = weights
    return (third @ (first.tanh() @ second @ vector)).cos().sum()


def trained(weights, *optimizers, steps=4):
    for _ in range(steps):
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss(weights).backward()
        for optimizer in optimizers:
            optimizer.step()
    return weights


def test_matrices_are_trained_as_torch_does_it_and_the_rest_by_adamw(monkeypatch):
    """torch's iteration is in bfloat16, so it is given single precision here."""
    monkeypatch.setattr(torch.Tensor, "bfloat16", torch.Tensor.float)
    mine, theirs, rest = weights(), weights(), {"lr": 0.01, "weight_decay": 0.1}
    trained(mine, Muon([{"params": mine[:3], "orthogonal": True}, {"params": mine[3:]}], **rest))
    muon = torch.optim.Muon(theirs[:3], adjust_lr_fn="match_rms_adamw", **rest)
    trained(theirs, muon, torch.optim.AdamW(theirs[3:], **rest))
    for ours, other, before in zip(mine, theirs, weights(), strict=True):
        assert torch.allclose(ours, other, atol=1e-5) and not torch.allclose(ours, before, atol=1e-2)


def test_a_matrix_without_a_gradient_is_left_alone_and_gradients_stay():
    matrices = weights()
    optimizer = Muon([{"params": matrices[:3], "orthogonal": True}, {"params": matrices[3:]}], lr=0.1)
    loss(matrices).backward()
    gradient, matrices[1].grad = matrices[0].grad, None
    optimizer.step()
    assert matrices[0].grad is gradient and torch.equal(matrices[1], weights()[1])
    assert not torch.equal(matrices[0], weights()[0]) and not torch.equal(matrices[3], weights()[3])
