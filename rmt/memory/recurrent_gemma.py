"""RecurrentGemma: two layers of a gated linear recurrence for every layer of attention in a short window."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.memory.base import Mechanism
from rmt.memory.mamba import scan
from rmt.memory.recurrent_net import RecurrentNet, convolve


class RecurrentGemma(RecurrentNet):
    """Griffin of De et al. 2024 (arXiv 2402.19427, eq. 1-4), the weights of transformers' RecurrentGemmaModel.

    A recurrent layer's state: whether anything was read (1), the last K - 1 inputs of its convolution, and the state of
    the RG-LRU, h_t = a_t h_(t-1) + sqrt(1 - a_t^2) (i_t x_t) with a_t = exp(-8 r_t softplus(Lambda)); a text's first
    token is not scaled down. An attention layer's: keys before rotation and values of the last window - 1 positions,
    zeros where there is none; only distances matter to rotary keys, so they are turned from the window's first position
    on. Rotary angles are computed in the model's precision.
    """

    family, final_norm = "recurrent_gemma", "final_norm"

    @staticmethod
    def sizes(layer: nn.Module) -> tuple[int, ...]:
        part = layer.temporal_block
        if hasattr(part, "rg_lru"):
            return 1, part.lru_width * (part.conv1d_width - 1), part.lru_width
        kept = (part.sliding_window - 1) * part.num_key_value_heads * part.head_dim
        return kept, kept

    @staticmethod
    def enter(trunk: nn.Module, x: Tensor) -> Tensor:
        return x * trunk.normalizer.to(x.dtype)

    @staticmethod
    def layer(layer: nn.Module, hidden: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        part, inputs = layer.temporal_block, layer.temporal_pre_norm(hidden)
        read, *after = (recur if hasattr(part, "rg_lru") else attend)(part, inputs, *state)
        hidden = hidden + read
        return hidden + layer.mlp_block(layer.channel_pre_norm(hidden)), *after


def recur(part: nn.Module, x: Tensor, begun: Tensor, before: Tensor, h: Tensor) -> tuple[Tensor, ...]:
    """A recurrent block over x (B, T, D): its output, and its state after it."""
    gate, lru = part.act_fn(part.linear_y(x)), part.rg_lru
    x, before = convolve(part.conv_1d, part.linear_x(x), before)
    blocks = x.unflatten(-1, (lru.num_attention_heads, -1))  # (B, T, H, A)
    i, r = (
        (torch.einsum("bthi,hij->bthj", blocks, weight) + bias).sigmoid().flatten(2)
        for weight, bias in (
            (lru.input_gate_weight, lru.input_gate_bias),
            (lru.recurrent_gate_weight, lru.recurrent_gate_bias),
        )
    )
    log_a = -8.0 * r * F.softplus(lru.recurrent_param)
    first = torch.zeros_like(x, dtype=torch.bool)
    first[:, 0] = begun == 0
    scale = torch.where(first, 1.0, (1 - (2 * log_a).exp()).clamp(min=1e-12).sqrt())
    states, h = scan(log_a.exp(), scale * i * x, h)
    return part.linear_out(states * gate), torch.ones_like(begun), before, h


def attend(part: nn.Module, x: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, ...]:
    """Attention in a window over x (B, T, D): its output, and keys and values of the last positions after it."""
    t, w, d = x.shape[1], part.sliding_window, part.head_dim
    query = part.q_proj(x).unflatten(-1, (-1, d))  # (B, T, H, d)
    key, value = (
        torch.cat([old.view(len(x), w - 1, part.num_key_value_heads, d), project(x).unflatten(-1, (-1, d))], dim=1)
        for old, project in ((keys, part.k_proj), (values, part.v_proj))
    )  # (B, W - 1 + T, G, d)
    after = [one[:, one.shape[1] - w + 1 :].flatten(1) for one in (key, value)]
    filled = (key != 0).any(-1).any(-1)[:, None, None]  # (B, 1, 1, W - 1 + T)
    places = torch.arange(w - 1 + t, device=x.device)
    inverse = part.rotary_emb.inv_freq.to(x.dtype)
    query, turned = turn(query, places[w - 1 :], inverse), turn(key, places, inverse)
    back = places[w - 1 :, None] - places  # (T, W - 1 + T)
    seen = filled & (back >= 0) & (back < w)
    query, turned, value = (one.transpose(1, 2) for one in (query, turned, value))
    mixed = F.scaled_dot_product_attention(query, turned, value, attn_mask=seen, scale=part.scaling, enable_gqa=True)
    return part.o_proj(mixed.transpose(1, 2).flatten(2)), *after


def turn(x: Tensor, places: Tensor, inverse: Tensor) -> Tensor:
    """Rotary positions: x (B, N, H, d) turned in its first dimensions by places (N,) times the rates inverse."""
    angles = (places[:, None] * inverse).repeat(1, 2)[:, None]  # (N, 1, r)
    moved, kept = x.split([angles.shape[-1], x.shape[-1] - angles.shape[-1]], dim=-1)
    first, second = moved.chunk(2, dim=-1)
    return torch.cat([moved * angles.cos() + torch.cat([-second, first], -1) * angles.sin(), kept], dim=-1)


MECHANISM = Mechanism("recurrent-gemma", RecurrentGemma, encoder=False, backbone="recurrent_gemma")
