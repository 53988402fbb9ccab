"""RMT-R: before each segment the latest memory attends to the memory of all earlier moments."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone
from rmt.backbone.internals import ACT2FN
from rmt.errors import InputError
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.recurrent import decoder_input, encoder_input
from rmt.text.segments import Segment

TOP_1 = 1e5  # scores are multiplied by this, so that softmax chooses the best alone


class RetrievalMemory(MemoryCell):
    """RMT-R of Kuratov et al. 2024 (arXiv 2402.10790), as its reference implementation computes it.

    Before segment t > 0 the latest memory tokens attend, with one head, to the memory tokens of all states so
    far: h = s + Attention(s, S, S), r = h + MLP(h), both pre-norm. Of [s | r] a decoder reads the last n_read tokens
    and writes to copies of the first n_memory; an encoder reads the same n_read and writes to the first n_memory of
    them. The reference's dropout is left out. The state is a tensor (B, t M, D), all states one after another.

    retrieve: "attention", or "top_1" for the best token alone.
    """

    past = True

    def __init__(
        self,
        dim: int,
        n_memory: int = 10,
        *,
        n_read: int | None = None,
        retrieve: str = "attention",
        activation: str = "gelu_new",
        initial_std: float = 0.02,
    ):
        super().__init__(dim, n_memory)
        self.n_read = 2 * n_memory if n_read is None else n_read
        if retrieve not in ("attention", "top_1") or not n_memory <= self.n_read <= 2 * n_memory:
            raise InputError(
                f"RMT-R retrieves by attention or top_1, not {retrieve!r}, and reads from once to twice its "
                f"{n_memory} memory tokens, not {self.n_read}."
            )
        self.retrieve = retrieve
        self.memory = nn.Parameter(torch.randn(self.n_read, dim) * initial_std)
        self.query, self.key, self.value, self.output = (nn.Linear(dim, dim) for _ in range(4))
        self.grow, self.shrink, self.activation = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim), ACT2FN[activation]
        self.norm_state, self.norm_past, self.norm_mlp = (nn.LayerNorm(dim) for _ in range(3))

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "RetrievalMemory":
        return cls(backbone.dim, **{"activation": backbone.activation, **options})

    def initial(self, batch: int) -> Tensor:
        return self.memory.new_zeros(batch, 0, self.dim)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        memory = self.memory.expand(len(state), -1, -1)
        if state.shape[1]:
            latest = state[:, -self.n_memory :]
            memory = torch.cat([latest, self.look_back(latest, state)], dim=1)
        read, write = memory[:, memory.shape[1] - self.n_read :], memory[:, : self.n_memory]
        if backbone.causal:
            x, layout, mask = decoder_input(backbone, segment, read, write)
        else:
            x, layout, mask = self._encoder_input(backbone, segment, read)
        output = backbone(x, layout=layout, mask=mask)
        return Step(output, layout), torch.cat([state, output.hidden[:, layout.write]], dim=1)

    def _encoder_input(self, backbone: Backbone, segment: Segment, memory: Tensor):
        """RMT's encoder input, whose write memory is the first n_memory of the block."""
        if segment.mask is not None and not segment.mask.any(1).all():
            raise InputError(
                "RMT-R looks back at every segment, so documents read together by an encoder must have as many "
                "segments; read them one at a time."
            )
        x, layout, mask = encoder_input(backbone, segment, memory)
        return x, replace(layout, write=slice(1, 1 + self.n_memory)), mask

    def look_back(self, latest: Tensor, past: Tensor) -> Tensor:
        """Attend from the latest memory tokens (B, M, D) to all past ones (B, t M, D): (B, M, D)."""
        keys = self.norm_past(past)
        scores = self.query(self.norm_state(latest)) @ self.key(keys).transpose(1, 2) * self.dim**-0.5
        weights = (scores * (TOP_1 if self.retrieve == "top_1" else 1.0)).softmax(-1)
        attended = latest + self.output(weights @ self.value(keys))
        return attended + self.shrink(self.activation(self.grow(self.norm_mlp(attended))))

    def slots(self, state: Tensor) -> Tensor:
        if state.shape[1]:
            return state[:, -self.n_memory :]
        return self.memory[: self.n_memory].expand(len(state), -1, -1)

    def restore(self, slots: Tensor) -> Tensor:
        """The state from slots (B, s + 1, M, D), without the first ones: the initial memory is not attended to."""
        return slots[:, 1:].flatten(1, 2)

    def put(self, state: Tensor, slots: Tensor) -> Tensor:
        if not state.shape[1]:
            raise InputError("RMT-R has no memory before its first segment; change it before a later one.")
        return torch.cat([state[:, : -self.n_memory], slots], dim=1)


# Three blocks: read memory is the latest memory tokens and the retrieved ones.
MECHANISM = Mechanism("rmt-r", RetrievalMemory, fresh={"n_memory": 16}, blocks=3)
