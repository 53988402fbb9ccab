"""RMT-R: before each segment the memory looks back at every state it ever was in."""

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from rmt.backbone import Backbone
from rmt.errors import InputError
from rmt.memory.base import MemoryCell, Step
from rmt.memory.recurrent import decoder_input, encoder_input, keep_unread
from rmt.segments import Segment

TOP_1 = 1e5  # scores times this make softmax a choice of the one best


class RetrievalMemory(MemoryCell):
    """RMT-R of Kuratov et al. 2024 (arXiv 2402.10790 §4), as its reference implementation computes it.

    Before segment t > 0 the latest memory tokens attend, with one head, to the memory tokens of all states so
    far, r = MLP(s + Attention(s, S, S)), pre-norm. Of [s | r] a decoder reads the last n_read tokens and writes to
    copies of the first n_memory; an encoder has both in its one block. The reference's dropout is left out.
    The state is a tensor (B, t M, D), all states one after another.

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
        config = backbone.model.config
        activation = getattr(config, "activation_function", None) or getattr(config, "hidden_act", "gelu_new")
        return cls(backbone.dim, **{"activation": activation, **options})

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
            hidden = (output := backbone(x, layout=layout, mask=mask)).hidden[:, layout.write]
        else:
            x, layout, mask = encoder_input(backbone, segment, read)
            hidden = (output := backbone(x, layout=layout, mask=mask)).hidden[:, layout.write][:, : self.n_memory]
        hidden = keep_unread(backbone, segment, hidden, self.slots(state))
        return Step(output, layout), torch.cat([state, hidden], dim=1)

    def look_back(self, latest: Tensor, past: Tensor) -> Tensor:
        """What the latest memory tokens (B, M, D) find among all past ones (B, t M, D): (B, M, D)."""
        keys = self.norm_past(past)
        scores = self.query(self.norm_state(latest)) @ self.key(keys).transpose(1, 2) * self.dim**-0.5
        weights = (scores * (TOP_1 if self.retrieve == "top_1" else 1.0)).softmax(-1)
        found = latest + self.output(weights @ self.value(keys))
        return found + self.shrink(self.activation(self.grow(self.norm_mlp(found))))

    def slots(self, state: Tensor) -> Tensor:
        if state.shape[1]:
            return state[:, -self.n_memory :]
        return self.memory[: self.n_memory].expand(len(state), -1, -1)

    def restore(self, slots: Tensor) -> Tensor:
        """slots (B, s + 1, M, D): the first is the initial memory, which is not looked back at."""
        return slots[:, 1:].flatten(1, 2)
