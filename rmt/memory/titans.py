"""Titans: a small net that is taught while the text is read, and is itself what crosses a boundary."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rmt.backbone import Backbone, Layout
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.transformer_xl import decoder_only
from rmt.text.segments import Segment

State = tuple[Tensor, Tensor, Tensor, Tensor]


class NeuralMemory(MemoryCell):
    """The neural memory of Behrouz et al. 2025 (arXiv 2501.00663, eq. 9-15), as a layer before a stock decoder.

    The memory is a net M(x) = silu(x W1) W2. Before the first layer each token adds M(q) to its embedding, with the
    weights before the segment. After it the net learns the segment's pairs (k, v): the surprise S = eta S - theta grad
    of sum |M(k) - v|^2, and the weights (1 - alpha) W + S. k and q have length 1. The state is (W1, W2, S1, S2), of
    (B, D, F) and (B, F, D); as slots, one each: (B, 4, D F).

    This is the paper's memory as a layer with one chunk a segment: the gradient of all its tokens is taken at the
    weights before it (section 3.2). eta, theta and alpha are read from the segment's mean embedding, where the paper
    has them for each token too. Its convolutions and persistent tokens are left out: attention sees the segment alone.
    hidden: F, by default D. n_memory has no effect; it is an argument so that one run's options fit every cell.
    """

    def __init__(self, dim: int, n_memory: int = 0, *, hidden: int | None = None, initial_std: float = 0.02):
        super().__init__(dim, 0)
        self.hidden = hidden or dim
        self.first = nn.Parameter(torch.randn(dim, self.hidden) * dim**-0.5)
        self.second = nn.Parameter(torch.randn(self.hidden, dim) * self.hidden**-0.5)
        self.norm = nn.LayerNorm(dim)
        self.query, self.key, self.value, self.output = (nn.Linear(dim, dim, bias=False) for _ in range(4))
        self.rates = nn.Linear(dim, 3)
        nn.init.zeros_(self.output.weight)  # so that a pretrained backbone begins as it was

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "NeuralMemory":
        decoder_only(cls, backbone)
        return cls(backbone.dim, **options)

    def initial(self, batch: int) -> State:
        weights = self.first.expand(batch, -1, -1), self.second.expand(batch, -1, -1)
        return *weights, *map(torch.zeros_like, weights)

    def step(self, backbone: Backbone, segment: Segment, state: State) -> tuple[Step, State]:
        words = backbone.embed(segment.ids)  # (B, T, D)
        t = words.shape[1]
        x = self.norm(words)
        read = self.output(recall(F.normalize(self.query(x), dim=-1), *state[:2]))
        layout = Layout(slice(0, t), slice(0, 0), slice(t, t))
        output = backbone(words + read, layout=layout, mask=segment.mask)
        return Step(output, layout), self.teach(x, state, segment.mask)

    def teach(self, x: Tensor, state: State, mask: Tensor | None) -> State:
        """The net after one step on the pairs of a segment's tokens x (B, T, D); mask (B, T) is false at padding."""
        real = x.new_ones(x.shape[:2]) if mask is None else mask.to(x.dtype)
        mean = (x * real[..., None]).sum(1) / real.sum(1).clamp(min=1)[:, None]
        kept, pace, forgotten = self.rates(mean).sigmoid()[..., None, None].unbind(1)  # eta, theta, alpha (B, 1, 1)
        pairs = F.normalize(self.key(x), dim=-1), self.value(x)
        slopes = gradient(*pairs, *state[:2], real[..., None] / real.sum(1).clamp(min=1)[:, None, None])
        surprise = [kept * old - pace * slope for old, slope in zip(state[2:], slopes, strict=True)]
        return *((1 - forgotten) * old + new for old, new in zip(state[:2], surprise, strict=True)), *surprise

    def slots(self, state: State) -> Tensor:
        return torch.stack([part.flatten(1) for part in state], dim=1)

    def restore(self, slots: Tensor) -> State:
        shapes = [(self.dim, self.hidden), (self.hidden, self.dim)] * 2
        return tuple(part.unflatten(1, shape) for part, shape in zip(slots.unbind(1), shapes, strict=True))


def recall(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """M(x) for x (B, T, D): silu(x W1) W2."""
    return F.silu(x @ first) @ second


def gradient(key: Tensor, value: Tensor, first: Tensor, second: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of sum weight |M(k) - v|^2 with respect to W1 and W2, written out so that it has a gradient too."""
    a = key @ first  # (B, T, F)
    share = a.sigmoid()
    error = 2 * weight * (a * share @ second - value)  # (B, T, D)
    inner = error @ second.transpose(1, 2) * share * (1 + a * (1 - share))
    return key.transpose(1, 2) @ inner, (a * share).transpose(1, 2) @ error


MECHANISM = Mechanism("titans", NeuralMemory, encoder=False)
