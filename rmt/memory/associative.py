"""ARMT: every layer has a matrix of associations that memory tokens write to and all tokens read from."""

from copy import copy

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone, Layout
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.recurrent import encoder_input, keep_unread
from rmt.text.segments import Segment

EPS = 1e-5
State = tuple[Tensor, Tensor]


class AssociativeMemory(MemoryCell):
    """ARMT of Rodkin et al. 2024 (arXiv 2407.04841), as its code of that year computes it.

    The same learned memory tokens stand at the end of each segment [tokens | memory], in an encoder between [CLS]
    and [SEP]; no token crosses a boundary. What does: for each layer a matrix A (B, K, D) and a vector z (B, K) with
    K = 2 nu d_memory features. Before a layer every token reads phi(q) A / (z . phi(q)); after it each memory token
    writes by the delta rule. The state is (A, z), stacked over layers: (B, L, K, D) and (B, L, K). As slots, one
    a layer: (B, L, K (D + 1)).

    wrapped: memory tokens have the last n_memory rows of the position table. correction: z grows only by what
    is new in a key.
    """

    per_layer = True

    def __init__(
        self,
        dim: int,
        n_memory: int = 10,
        *,
        n_layers: int,
        d_memory: int = 64,
        nu: int = 3,
        correction: bool = True,
        wrapped: bool = False,
        initial_std: float = 0.02,
    ):
        super().__init__(dim, n_memory)
        self.n_read = 0  # in a decoder, attention reads no memory
        self.n_layers, self.n_features, self.nu = n_layers, 2 * nu * d_memory, nu
        self.correction, self.wrapped = correction, wrapped
        self.memory = nn.Parameter(torch.randn(n_memory, dim) * initial_std)
        self.query, self.key = (
            nn.ModuleList(nn.Linear(dim, d_memory, bias=False) for _ in range(n_layers)) for _ in range(2)
        )
        self.value = nn.ModuleList(nn.Linear(dim, dim, bias=False) for _ in range(n_layers))
        self.gate = nn.ModuleList(nn.Linear(dim, 1) for _ in range(n_layers))
        for layer in self.value:
            nn.init.zeros_(layer.weight)  # so that a pretrained backbone begins as it was

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "AssociativeMemory":
        return cls(backbone.dim, **{"n_layers": backbone.n_layers, **options})

    def initial(self, batch: int) -> State:
        zeros = self.memory.new_zeros(batch, self.n_layers, self.n_features, self.dim + 1)
        return zeros[..., :-1], zeros[..., -1]

    def step(self, backbone: Backbone, segment: Segment, state: State) -> tuple[Step, State]:
        x, layout, mask, positions = self.augment(backbone, segment)
        written = {}

        def read(i: int, hidden: Tensor) -> Tensor:
            return hidden + self.recall(i, hidden, state[0][:, i], state[1][:, i])

        def write(i: int, hidden: Tensor) -> None:
            written[i] = self.associate(i, hidden[:, layout.write], state[0][:, i], state[1][:, i])

        with backbone.around_layers(read, write):
            output = backbone(x, layout=layout, mask=mask, positions=positions)
        after = tuple(
            torch.stack(part, dim=1) for part in zip(*(written[i] for i in range(self.n_layers)), strict=True)
        )
        return Step(output, layout), keep_unread(backbone, segment, after, state)

    def recall(self, i: int, hidden: Tensor, matrix: Tensor, norm: Tensor) -> Tensor:
        """Read layer i's memory with its tokens (B, N, D): A^T phi(q) / (z . phi(q)), zero while A is empty."""
        features = self.features(self.query[i](hidden))
        return features @ matrix / ((features @ norm[..., None]) + EPS)

    def associate(self, i: int, tokens: Tensor, matrix: Tensor, norm: Tensor) -> tuple[Tensor, Tensor]:
        """Write layer i's memory tokens (B, M, D) into its memory: the new (A, z)."""
        keys = self.features(self.key[i](tokens))  # (B, M, K)
        overlap = keys @ norm[..., None] + EPS  # (B, M, 1): how much of a key z has already
        change = self.value[i](tokens) - keys @ matrix / overlap
        novelty = 1 - overlap / (keys.square().sum(-1, keepdim=True) + EPS)
        novelty = novelty.clamp(0, 1).detach() if self.correction else torch.ones_like(novelty)
        first = (norm == 0).all(-1)[:, None, None]  # while the memory is empty, every key is new
        novelty = novelty.masked_fill(first, 1.0)
        matrix = matrix + keys.transpose(1, 2) @ (change * self.gate[i](tokens).sigmoid())
        return matrix, norm + (novelty * keys).sum(1)

    def features(self, x: Tensor) -> Tensor:
        """phi: DPFP of order nu (Schlag et al. 2021, arXiv 2102.11174), (..., d) -> (..., 2 nu d)."""
        x = torch.cat([x, -x], dim=-1).relu()
        return torch.cat([x * x.roll(shift, dims=-1) for shift in range(1, self.nu + 1)], dim=-1)

    def slots(self, state: State) -> Tensor:
        matrix, norm = state
        return torch.cat([matrix, norm[..., None]], dim=-1).flatten(2)

    def restore(self, slots: Tensor) -> State:
        both = slots.unflatten(2, (self.n_features, self.dim + 1))
        return both[..., :-1], both[..., -1]

    def of_layer(self, i: int) -> "AssociativeMemory":
        """Layer i's part of this memory as a memory of one layer that shares the weights."""
        part = copy(self)
        part._parameters = {}
        part._modules = {name: nn.ModuleList([layers[i]]) for name, layers in self._modules.items()}
        return part

    def before_layer(self, hidden: Tensor, state: State) -> Tensor:
        """The input of the layer of a one-layer memory: hidden (B, N, D) plus what is read from its (A, z)."""
        return hidden + self.recall(0, hidden, *state)

    def after_layer(self, tokens: Tensor, state: State) -> State:
        """The (A, z) of a one-layer memory after the layer's memory tokens (B, M, D) are written."""
        return self.associate(0, tokens, *state)

    def augment(self, backbone: Backbone, segment: Segment) -> tuple[Tensor, Layout, Tensor | None, Tensor | None]:
        """Build the augmented input of a segment: x (B, N, D), its layout, its mask and its positions."""
        memory = self.memory.expand(len(segment.ids), -1, -1)
        if not backbone.causal:
            return *encoder_input(backbone, segment, memory), None
        x = torch.cat([backbone.embed(segment.ids), memory], dim=1)
        t, m, mask = segment.ids.shape[1], self.n_memory, segment.mask
        layout = Layout(slice(0, t), slice(0, 0), slice(t, t + m))
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(len(mask), m)], dim=1)
        positions = None
        if self.wrapped:
            positions = torch.arange(t + m, device=x.device)
            positions[t:] += backbone.n_positions - m - t
        return x, layout, mask, positions


MECHANISM = Mechanism("armt", AssociativeMemory, fresh={"n_memory": 16, "d_memory": 32})
