"""Muon, an optimizer for matrices, with AdamW for all other weights. What it changed: assets/training/README.md."""

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from rmt.backbone import Backbone

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the polynomial that takes all singular values near 1 (Jordan et al. 2024)
ITERATIONS = 5
MOMENTUM = 0.95
SCALE = 0.2  # of an update's root mean square, as AdamW's is, so that one learning rate serves both (arXiv 2502.16982)


class Muon(AdamW):
    """Muon (Jordan et al. 2024) for groups with `orthogonal`, AdamW for all others, in one optimizer.

    Such groups hold matrices. The update of a matrix is its averaged gradient with all singular values near 1, so
    directions that the gradient hardly shows change as much as those that it is full of. It differs from
    `torch.optim.Muon` in that its products have the precision of the weights (half precision is slow on many CPUs),
    that matrices of one shape are one product, and that a learning rate may be a tensor, which CUDA graphs need.
    """

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        orthogonal = [group for group in self.param_groups if group.get("orthogonal")]
        gradients = {p: p.grad for group in orthogonal for p in group["params"] if p.grad is not None}
        for group in orthogonal:
            self._orthogonal_step(group)
        for parameter in gradients:  # AdamW leaves alone what has no gradient
            parameter.grad = None
        super().step()
        for parameter, gradient in gradients.items():
            parameter.grad = gradient
        return loss

    def _orthogonal_step(self, group: dict) -> None:
        shapes: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
        for parameter in group["params"]:
            if parameter.grad is not None:
                shapes[parameter.shape].append(parameter)
        for shape, parameters in shapes.items():
            updates = torch.stack([self._averaged(parameter) for parameter in parameters])
            updates = orthogonal(updates) * (SCALE * max(shape) ** 0.5 * group["lr"])
            for parameter, update in zip(parameters, updates, strict=True):
                parameter.mul_(1 - group["lr"] * group["weight_decay"]).sub_(update)

    def _averaged(self, parameter: Tensor) -> Tensor:
        """The gradient with Nesterov momentum."""
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
            state["step"] = torch.zeros(())  # never counted; AdamW looks for it when a saved run is loaded
        return parameter.grad.lerp(state["momentum"].lerp_(parameter.grad, 1 - MOMENTUM), MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """Take the singular values of matrices (N, A, B) near 1, between 0.7 and 1.2, by a Newton-Schulz iteration."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if tall else matrices
    found = found / found.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    for _ in range(ITERATIONS):
        gram = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a)
    return found.mT if tall else found


def muon_groups(backbone: Backbone, parameters: Iterable[nn.Parameter], weight_decay: float) -> list[dict]:
    """Make the parameter groups of Muon: matrices of the backbone's layers, other matrices, vectors."""
    of_layers = [p for layer in backbone.layers for p in layer.parameters() if p.dim() == 2]
    known = set(of_layers)
    others = [p for p in parameters if p not in known]
    return [
        {"params": [p for p in others if p.dim() > 1], "weight_decay": weight_decay},
        {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0},
        {"params": of_layers, "weight_decay": weight_decay, "orthogonal": True},
    ]
