"""Mamba: every layer keeps a linear state whose step the token itself chooses."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.memory.base import Mechanism
from rmt.memory.recurrent_net import RecurrentNet, convolve


class Mamba(RecurrentNet):
    """Mamba of Gu and Dao 2023 (arXiv 2312.00752, eq. 2 and algorithm 2), the weights of transformers' MambaModel.

    A layer's state: the last K - 1 inputs of its convolution (I (K - 1)) and h (I N), with
    h_t = exp(dt A) h_(t-1) + dt B x_t and y_t = C h_t + D x_t; dt, B and C come from the token. transformers' own scan
    begins at zero whatever state it is given, and computes A and B in float32; this one is in the model's precision.
    """

    family, final_norm = "mamba", "norm_f"

    @staticmethod
    def sizes(layer: nn.Module) -> tuple[int, ...]:
        part = layer.mixer
        return part.intermediate_size * (part.conv_kernel_size - 1), part.intermediate_size * part.ssm_state_size

    @staticmethod
    def layer(layer: nn.Module, hidden: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        part, (before, h) = layer.mixer, state
        x, gate = part.in_proj(layer.norm(hidden)).chunk(2, dim=-1)  # (B, T, I)
        x, before = convolve(part.conv1d, x, before)
        x = part.act(x)
        sizes = [part.time_step_rank, part.ssm_state_size, part.ssm_state_size]
        dt, b, c = part.x_proj(x).split(sizes, dim=-1)
        dt = F.softplus(part.dt_proj(dt))  # (B, T, I)
        fade = (dt[..., None] * -part.A_log.exp()).exp()  # (B, T, I, N)
        added = (dt * x)[..., None] * b[:, :, None]
        y, h = scan(fade, added, h.unflatten(1, (part.intermediate_size, -1)))
        y = (y * c[:, :, None]).sum(-1) + x * part.D
        return hidden + part.out_proj(y * F.silu(gate)), before, h.flatten(1)


def scan(fade: Tensor, added: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    """h_t = fade_t h_(t-1) + added_t from h (B, ...): all of them (B, T, ...), and the last."""
    states = []
    for kept, new in zip(fade.unbind(1), added.unbind(1), strict=True):
        h = kept * h + new
        states.append(h)
    return torch.stack(states, dim=1), h


MECHANISM = Mechanism("mamba", Mamba, encoder=False, backbone="mamba")
