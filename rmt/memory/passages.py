"""The base of retrieval: the passages of the text so far that match best stand before a segment, as text."""

import torch
from torch import Tensor

from rmt.backbone import Backbone, Layout
from rmt.errors import InputError
from rmt.memory.base import MemoryCell, Step
from rmt.memory.numbers import DIGITS, number, written
from rmt.memory.transformer_xl import counted, decoder_only, seen
from rmt.text.segments import Segment


class Passages(MemoryCell):
    """Retrieval from the text so far; a subclass has the score of a passage.

    The text before the segment is cut into passages of `passage` tokens. The `top` best stand before the segment in the
    order of the text, as in-context retrieval has it (Ram et al. 2023, arXiv 2302.00083). A language model is asked to
    go on, so the query is what was just read, the `passage` tokens before the segment, and passages end before those:
    with the segment itself as a query, the choice would tell its later words to its earlier ones. A classifier's answer
    is read at the end, and the query is the segment, such as a question. The retriever is not trained, and no gradient
    flows. The state is the latest n_memory tokens, empty ones first: (B, n_memory, 6 + K), the id and the place of
    each, and K numbers of the subclass.

    initial_std has no effect; it is an argument so that one run's options fit every cell.
    """

    extra = 0  # K: how many numbers more the state has for each token

    def __init__(
        self, dim: int, n_memory: int = 512, *, passage: int = 16, top: int = 2, asked: bool = False,
        initial_std: float = 0.0,
    ):  # fmt: skip
        super().__init__(dim, n_memory)
        if passage < 1 or top < 1:
            raise InputError("Passages have one token or more, and one or more of them are read.")
        self.passage, self.top, self.asked = passage, top, asked
        self.n_read, self.n_write = top * passage, 0
        self.register_buffer("like", torch.zeros(()), persistent=False)  # has the device and precision

    @classmethod
    def fit(cls, backbone: Backbone, **options) -> "Passages":
        decoder_only(cls, backbone)
        return cls(backbone.dim, **{"asked": backbone.head == "classify", **options})

    def scores(self, backbone: Backbone, segment: Segment, text: "Text") -> Tensor:
        """A score for each passage (B, P), higher for a better one, -inf for one that must not be read."""
        raise NotImplementedError

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_memory, 2 * DIGITS + self.extra)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        text = Text(state, self.passage, 0 if self.asked else self.passage)
        with torch.no_grad():
            places, found = self.choose(self.scores(backbone, segment, text).masked_fill(~text.whole, -torch.inf), text)
        ids = text.ids.gather(1, places) - 1  # (B, R), -1 where there is none
        found = found & (ids >= 0)
        x = backbone.embed(torch.cat([ids.clamp(min=0), segment.ids], dim=1))
        r, t = self.n_read, segment.ids.shape[1]
        mask, layout = seen(found, segment), Layout(slice(r, r + t), slice(0, r), slice(r + t, r + t))
        output = backbone(x * mask[..., None], layout=layout, mask=mask, positions=counted(mask))
        return Step(output, layout), self.keep(state, segment, output.hidden[:, layout.tokens].detach())

    def choose(self, scores: Tensor, text: "Text") -> tuple[Tensor, Tensor]:
        """Where in the state the tokens of the best passages are, and whether there is one: (B, top passage) each."""
        n = min(self.top, scores.shape[1])
        best = scores.topk(n, dim=1)
        lacking = best.values == -torch.inf
        order = best.indices.masked_fill(lacking, -1).sort(dim=1).values  # in the order of the text, lacking ones first
        order = torch.cat([order.new_full((len(order), self.top - n), -1), order], dim=1)
        inside = torch.arange(self.passage, device=scores.device)
        places = text.start[:, None, None] + order[..., None] * self.passage + inside  # (B, top, passage)
        found = (order >= 0)[..., None].expand_as(places)
        return places.flatten(1).clamp(0, self.n_memory - 1), found.flatten(1)

    def keep(self, state: Tensor, segment: Segment, hidden: Tensor) -> Tensor:
        """The next state: the segment's tokens after the others, and empty ones before all."""
        tokens = torch.ones_like(segment.ids) if segment.mask is None else segment.mask.long()
        latest = number(state[..., DIGITS : 2 * DIGITS]).amax(1, keepdim=True)
        place = (latest + tokens.cumsum(1)) * tokens
        parts = [written((segment.ids + 1) * tokens, state.dtype), written(place, state.dtype)]
        if self.extra:
            parts.append(hidden * tokens[..., None])
        rows = torch.cat([state, torch.cat(parts, dim=-1)], dim=1)
        order = (rows[..., :DIGITS] != 0).any(-1).int().argsort(dim=1, stable=True)  # empty ones first
        return rows.gather(1, order[..., None].expand_as(rows))[:, segment.ids.shape[1] :]

    def slots(self, state: Tensor) -> Tensor:
        return state


class Text:
    """The text so far as passages: a state (B, n, 6 + K) whose last `query` tokens are apart from them.

    ids (B, n): token ids + 1, 0 where there is none. extra (B, n, K). start (B,): where the first passage begins, which
    may be before the state. of (B, n): the passage of each token. whole (B, P): which passages are there from first to
    last token, before the query.
    """

    def __init__(self, state: Tensor, passage: int, query: int):
        self.ids, place = number(state[..., :DIGITS]), number(state[..., DIGITS : 2 * DIGITS])
        self.extra, n = state[..., 2 * DIGITS :], state.shape[1]
        self.query = query
        last = place[:, -1]  # counted from 1; 0 before the first token
        first = (last - n).clamp(min=0)  # the place, from 0, of the first token that is kept
        skipped = first.div(passage, rounding_mode="floor")
        self.start = n - last + skipped * passage  # (B,)
        at = torch.arange(n, device=state.device)
        self.of = (at - self.start[:, None]).clamp(min=0).div(passage, rounding_mode="floor")
        number_of = n // passage + 2  # the first and the last may be cut
        begin = self.start[:, None] + torch.arange(number_of, device=state.device) * passage  # (B, P)
        self.whole = (begin >= (n - last + first)[:, None]) & (begin + passage <= n - query)
