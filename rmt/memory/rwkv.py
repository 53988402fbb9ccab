"""RWKV: every layer keeps a mean of values that fades with time, weighted by keys."""

import torch
from torch import Tensor, nn

from rmt.memory.base import Mechanism
from rmt.memory.recurrent_net import RecurrentNet


class RWKV(RecurrentNet):
    """RWKV-4 of Peng et al. 2023 (arXiv 2305.13048, eq. 11-18), the weights of transformers' RwkvModel.

    A layer's state: the last token's input to its channel mixing and to its time mixing (D each), the weighted mean of
    all values so far and log(1 + its weight) (A each), zero before the first token. The paper's eq. 16 in those terms:
    a weight fades by e^w a token, a token's own weight is e^k, and e^(k + u) where it is read at once. transformers
    keeps numerator, denominator and maximum instead, which cannot be drawn: the maximum begins at -1e38.
    """

    family, final_norm = "rwkv", "ln_out"

    @staticmethod
    def sizes(layer: nn.Module) -> tuple[int, ...]:
        d, a = layer.ln1.normalized_shape[0], layer.attention.attention_hidden_size
        return d, d, a, a

    @staticmethod
    def layer(layer: nn.Module, hidden: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        channel, time, mean, weight = state
        x = layer.pre_ln(hidden) if hasattr(layer, "pre_ln") else hidden
        part, inputs = layer.attention, layer.ln1(x)
        key, value, receptance = (
            project(mix(inputs, time, share))
            for project, share in (
                (part.key, part.time_mix_key), (part.value, part.time_mix_value),
                (part.receptance, part.time_mix_receptance),
            )
        )  # fmt: skip
        weight = weight.clamp(min=torch.finfo(weight.dtype).tiny)
        weight = weight + (-torch.expm1(-weight)).log()  # log(1 + weight) -> log(weight)
        read, mean, weight = fading_mean(key, value, part.time_decay, part.time_first, mean, weight)
        x = x + part.output(receptance.sigmoid() * read)
        feed, inner = layer.feed_forward, layer.ln2(x)
        grown = feed.value(feed.key(mix(inner, channel, feed.time_mix_key)).relu().square())
        x = x + feed.receptance(mix(inner, channel, feed.time_mix_receptance)).sigmoid() * grown
        return x, inner[:, -1], inputs[:, -1], mean, torch.logaddexp(weight, torch.zeros_like(weight))


def mix(x: Tensor, last: Tensor, share: Tensor) -> Tensor:
    """x (B, T, D) in part replaced by the token before, which is last (B, D) for the first."""
    return x * share + torch.cat([last[:, None], x[:, :-1]], dim=1) * (1 - share)


def fading_mean(
    key: Tensor, value: Tensor, decay: Tensor, first: Tensor, mean: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The mean that each token reads (B, T, A), and the mean and its log weight (B, A) after the last token."""
    fade, reads = decay.exp(), []
    for k, v in zip(key.unbind(1), value.unbind(1), strict=True):
        reads.append(weighted(mean, weight, v, k + first)[0])
        mean, weight = weighted(mean, weight - fade, v, k)
    return torch.stack(reads, dim=1), mean, weight


def weighted(one: Tensor, weight: Tensor, other: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    """The mean of two values under log weights, and its log weight."""
    total = torch.logaddexp(weight, others)
    return one * (weight - total).exp() + other * (others - total).exp(), total


MECHANISM = Mechanism("rwkv", RWKV, encoder=False, backbone="rwkv")
