"""Mamba-2: Mamba with one rate of fading a head, whose state is a matrix a head."""

from torch import Tensor, nn
from torch.nn import functional as F

from rmt.memory.base import Mechanism
from rmt.memory.mamba import scan
from rmt.memory.recurrent_net import RecurrentNet, convolve


class Mamba2(RecurrentNet):
    """Mamba-2 of Dao and Gu 2024 (arXiv 2405.21060, section 7), the weights of transformers' Mamba2Model.

    A layer's state: the last K - 1 inputs of its convolution, and for each head a matrix (P, N) with
    h_t = exp(dt A) h_(t-1) + dt x_t B_t', where A is one number a head. Read in its recurrent form; transformers' form
    by chunks is the same function.
    """

    family, final_norm = "mamba2", "norm_f"

    @staticmethod
    def sizes(layer: nn.Module) -> tuple[int, ...]:
        part = layer.mixer
        return part.conv_dim * (part.conv_kernel_size - 1), part.intermediate_size * part.ssm_state_size

    @staticmethod
    def layer(layer: nn.Module, hidden: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        part, (before, h) = layer.mixer, state
        heads, groups, n = part.num_heads, part.n_groups, part.ssm_state_size
        sizes = [part.intermediate_size, part.conv_dim, heads]
        gate, x, dt = part.in_proj(layer.norm(hidden)).split(sizes, dim=-1)
        x, before = convolve(part.conv1d, x, before)
        x, b, c = part.act(x).split([part.intermediate_size, groups * n, groups * n], dim=-1)
        x = x.unflatten(-1, (heads, -1))  # (B, T, H, P)
        b, c = (one.unflatten(-1, (groups, n)).repeat_interleave(heads // groups, dim=2) for one in (b, c))
        dt = F.softplus(dt + part.dt_bias).clamp(*part.time_step_limit)  # (B, T, H)
        fade = (dt * -part.A_log.exp()).exp()[..., None, None]
        y, h = scan(fade, (dt[..., None] * x)[..., None] * b[..., None, :], h.view(len(h), heads, -1, n))
        y = (y * c[..., None, :]).sum(-1) + x * part.D[:, None]
        return hidden + part.out_proj(part.norm(y.flatten(2), gate)), before, h.flatten(1)


MECHANISM = Mechanism("mamba2", Mamba2, encoder=False, backbone="mamba2")
