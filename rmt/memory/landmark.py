"""Landmark attention: a landmark token at the end of each block decides how much of a query the block gets."""

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone
from rmt.backbone.weighing import weighed
from rmt.memory.base import Mechanism, Step
from rmt.memory.transformer_xl import TransformerXL, counted, read_beside, seen
from rmt.text.segments import Segment


class LandmarkAttention(TransformerXL):
    """Mohtashami and Jaggi 2023 (arXiv 2305.16300, section 3): random access to blocks by a grouped softmax.

    A block is a segment and the landmark token after it. A token of an earlier block is weighed by its share within its
    block times the weight of the block's landmark among the landmarks and the tokens of the query's own segment:
    the softmax of s_j - logsumexp_block(s) + s_landmark. All blocks stand at the same positions, just before the
    segment, so that any number of them is within range (the paper's "stingy" positions). The state is every layer's
    inputs at the latest n_memory positions and whether each is a landmark, (B, n_memory, L D + 1); gradients flow into
    it as far as BPTT goes, so that a landmark learns to stand for its block.

    top: how many blocks each query of each head and layer reads, those with the best landmarks; 0 for all of them. The
    paper trains with all blocks and then reads with few. No package of it was found to
    compare with; the tests have the grouped softmax written out instead.
    """

    def __init__(self, dim: int, n_memory: int = 64, *, n_layers: int, top: int = 0, initial_std: float = 0.02):
        super().__init__(dim, n_memory, n_layers=n_layers)
        self.n_write, self.top = 1, top
        self.landmark = nn.Parameter(torch.randn(1, dim) * initial_std)

    def initial(self, batch: int) -> Tensor:
        return self.like.new_zeros(batch, self.n_memory, self.n_layers * self.dim + 1)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        cached, marks = super().restore(state[..., :-1]), state[..., -1] > 0  # (B, L, R, D), (B, R)
        blocks = Blocks(marks, (state != 0).any(-1), self.top)
        positions = torch.cat([blocks.places, blocks.longest + counted(seen(marks[:, :0], segment, 1))], dim=1)
        step, inputs = read_beside(
            backbone,
            segment,
            cached,
            write=self.landmark,
            positions=positions,
            mix=weighed(blocks.weigh, self.n_memory),
        )
        new = super().slots(inputs)  # (B, T + 1, L D)
        mark = torch.cat([torch.zeros_like(new[:, 1:, :1]), torch.ones_like(new[:, :1, :1])], dim=1)
        new = torch.cat([new, mark], dim=-1)
        return step, torch.cat([state, new], dim=1)[:, new.shape[1] :]

    def blocks(self, state: Tensor) -> Tensor:
        marks, filled = state[..., -1] > 0, (state != 0).any(-1)
        back = marks.sum(1, keepdim=True) - (marks.cumsum(1) - marks.long())  # a block ends at its landmark
        return back * (filled & ~marks)

    def slots(self, state: Tensor) -> Tensor:
        return state

    def restore(self, slots: Tensor) -> Tensor:
        return slots


class Blocks:
    """The blocks of cached positions (B, R), each of which ends at a landmark, and attention to them.

    marks, filled (B, R): where landmarks are, and where a position is not empty. places (B, R): positions in the text;
    all blocks end at the same one. longest (B, 1): how many positions the longest block has.
    """

    def __init__(self, marks: Tensor, filled: Tensor, top: int = 0):
        self.marks, self.top = marks, top
        self.of = marks.cumsum(1) - marks.long()  # (B, R): the block of each position
        order = torch.arange(marks.shape[1], device=marks.device).expand_as(self.of)
        ends = torch.zeros_like(self.of).scatter_reduce(1, self.of, order, "amax")  # (B, R): where each block ends
        after = (ends.gather(1, self.of) - order) * filled  # (B, R): how many of its block come after a position
        self.longest = ((after + 1) * filled).amax(1, keepdim=True)
        self.places = (self.longest - 1 - after).clamp(min=0)

    def weigh(self, _layer: int, scores: Tensor) -> Tensor:
        """The weights (B, H, Q, N) of scores (B, H, Q, N), cached positions first."""
        r = self.marks.shape[1]
        far, near = scores.tensor_split([r], dim=-1)  # (B, H, Q, R) and (B, H, Q, Q)
        marks, of = self.marks[:, None, None].expand_as(far), self.of[:, None, None].expand_as(far)
        hidden = far == -torch.inf
        token, mark = ~(hidden | marks), marks & ~hidden
        zeros, far = torch.zeros_like(far), far.masked_fill(hidden, 0.0)
        most = torch.full_like(far, -torch.inf).scatter_reduce(-1, of, far.detach().where(token, -torch.inf), "amax")
        most = most.clamp(min=torch.finfo(far.dtype).min)
        shares = zeros.scatter_add(-1, of, (far - most.gather(-1, of)).where(token, -torch.inf).exp())
        within = most + shares.clamp(min=torch.finfo(far.dtype).tiny).log()  # log-sum-exp of each block's tokens
        whole = zeros.scatter_add(-1, of, mark.to(far.dtype)) * (shares > 0) > 0  # it has a landmark and tokens
        landmark = zeros.scatter_add(-1, of, far * mark).masked_fill(~whole, -torch.inf)  # each block's landmark
        if 0 < self.top < r:
            landmark = landmark.masked_fill(landmark < landmark.topk(self.top, -1).values[..., -1:], -torch.inf)
        far = (far + (landmark - within).gather(-1, of)).masked_fill(~token, -torch.inf)
        return torch.cat([far, near], dim=-1).softmax(-1)


MECHANISM = Mechanism("landmark", LandmarkAttention, fresh={"n_memory": 516}, keeps_tokens=True, encoder=False)
