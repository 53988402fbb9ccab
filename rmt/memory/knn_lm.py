"""kNN-LM: the next word is also looked up among the words that followed the most alike states of the text so far."""

import torch
from torch import Tensor

from rmt.backbone import Backbone, Layout, Output, wide
from rmt.errors import InputError
from rmt.memory.base import Mechanism, MemoryCell, Step
from rmt.memory.numbers import DIGITS, number, written
from rmt.text.segments import Segment


class NearestNeighbours(MemoryCell):
    """Khandelwal et al. 2020 (arXiv 1911.00172, equations 2 and 3): a datastore beside a language model.

    p(w) = share p_kNN(w) + (1 - share) p_LM(w), where p_kNN weighs the words that followed the `top` nearest keys
    by softmax(-distance / temperature), the squared Euclidean distance. Nothing is trained, and no gradient flows. The
    paper's datastore is the training set, and its keys are the inputs of the last feed-forward part; here the store is
    the text so far, up to the segment's beginning, and keys are hidden states after the final norm, scaled to unit
    variance. The state is a key for each of the latest n_memory tokens and the id of the token after it,
    (B, n_memory, D + 3). The logits are the model's own while the store is empty. For language models.

    initial_std has no effect; it is an argument so that one run's options fit every cell.
    """

    def __init__(
        self, dim: int, n_memory: int = 512, *, top: int = 64, share: float = 0.1, temperature: float = 1.0,
        initial_std: float = 0.0,
    ):  # fmt: skip
        super().__init__(dim, n_memory)
        if top < 1 or not 0 <= share < 1 or not temperature > 0:
            raise InputError("kNN-LM needs a top of 1 or more, a share from 0 to below 1 and a temperature above 0.")
        self.n_read = self.n_write = 0  # attention reads no memory
        self.top, self.share, self.temperature = top, float(share), float(temperature)
        self.register_buffer("like", torch.zeros(()), persistent=False)  # has the device and precision

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "NearestNeighbours":
        if backbone.head != "lm":
            raise InputError("kNN-LM mixes the next words of a causal language model, which this model is not.")
        return super().fit(backbone, **options)

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_memory, self.dim + DIGITS)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        x, mask = backbone.embed(segment.ids), segment.mask
        layout = Layout(slice(0, x.shape[1]), slice(0, 0), slice(0, 0))
        output = backbone(x, layout=layout, mask=mask)
        real = torch.ones_like(segment.ids, dtype=torch.bool) if mask is None else mask.bool()
        state = self.followed(state, segment.ids, real)
        with torch.no_grad():
            keys = output.rows / output.rows.std(-1, keepdim=True).clamp(min=1e-6)
            known = self.look_up(keys, state)
            known_next = torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], dim=1)  # of the last one not yet
            after = (segment.ids.roll(-1, dims=1) + 1) * known_next
            new = torch.cat([keys, written(after, keys.dtype)], dim=-1) * real[..., None]
            after = torch.cat([state, new], dim=1)[:, new.shape[1] :]
        rows = torch.cat([wide(output.rows), *known], dim=-1)  # (B, T, D + 2 top)
        return Step(Output(output.hidden, rows, self.mixed(output)), layout), after

    def followed(self, state: Tensor, ids: Tensor, real: Tensor) -> Tensor:
        """The state in which the key whose next token was not known is followed by the first of ids (B, T)."""
        first = ids.gather(1, real.int().argmax(1, keepdim=True)) + 1  # (B, 1)
        keys, digits = state[..., :-DIGITS], state[..., -DIGITS:]
        open_ = (keys != 0).any(-1) & (digits == 0).all(-1) & real.any(1, keepdim=True)  # (B, R)
        return torch.cat([keys, torch.where(open_[..., None], written(first, state.dtype), digits)], dim=-1)

    def look_up(self, keys: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """The nearest entries for keys (B, T, D): their weights and the ids of their tokens, (B, T, K) each."""
        ids = number(state[..., -DIGITS:])  # (B, R)
        far = torch.cdist(wide(keys), wide(state[..., :-DIGITS])).square() / self.temperature
        nearest = far.masked_fill(ids[:, None] == 0, torch.inf).topk(min(self.top, ids.shape[1]), largest=False)
        some = nearest.values.isfinite()
        weights = (-nearest.values).masked_fill(~some.any(-1, keepdim=True), 0.0).softmax(-1) * some
        words = ids[:, None].expand(-1, keys.shape[1], -1).gather(-1, nearest.indices)
        return weights, (words - 1).clamp(min=0).to(weights.dtype)

    def mixed(self, output: Output):
        """The head of rows (..., D + 2 K): hidden states with the weights and ids of their neighbours."""

        def head(rows: Tensor) -> Tensor:
            hidden, known = rows.tensor_split([self.dim], dim=-1)
            weights, words = known.detach().chunk(2, dim=-1)
            model = wide(output.head(hidden.to(output.rows.dtype)))
            whole = model.logsumexp(-1, keepdim=True)
            share = self.share * weights.sum(-1, keepdim=True)  # nothing while the store is empty
            found = torch.zeros_like(model).scatter_add(-1, words.long(), weights.to(model.dtype)) * self.share
            return ((1 - share).log() + model).logaddexp(found.log() + whole)

        return head

    def slots(self, state: Tensor) -> Tensor:
        return state


MECHANISM = Mechanism(
    "knn-lm",
    NearestNeighbours,
    fresh={"n_memory": 512},
    keeps_tokens=True,
    encoder=False,
    gradient=False,
    classifier=False,
)
