"""Gist tokens: what every layer was given for a few tokens after a segment stands for all of the text before them."""

import torch
from torch import Tensor, nn

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism, Step
from rmt.memory.transformer_xl import TransformerXL, read_beside
from rmt.text.segments import Segment


class GistTokens(TransformerXL):
    """Mu et al. 2023 (arXiv 2304.08467, section 3): after a prompt stand n_memory copies of one learned gist token, and
    what comes later sees the gist tokens and nothing before them.

    So their keys and values in every layer are all that crosses. The paper compresses one prompt; here each segment is
    the prompt of the next, together with the gist before it. The state is every layer's inputs at the gist tokens,
    (B, L, n_memory, D), zero and masked before the first segment. With rotary positions this equals the paper's mask
    over the whole text in one pass. A layer's inputs hold what the layer below had read, so with each segment what was
    read climbs a layer: after L - 1 segments nothing is left of it.
    """

    def __init__(self, dim: int, n_memory: int = 10, *, n_layers: int, initial_std: float = 0.02):
        super().__init__(dim, n_memory, n_layers=n_layers)
        self.n_write = n_memory
        self.gist = nn.Parameter(torch.randn(1, dim) * initial_std)

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        write = self.gist.expand(self.n_memory, -1)
        step, inputs = read_beside(backbone, segment, state, write=write)
        return step, inputs[:, :, segment.ids.shape[1] :]


MECHANISM = Mechanism("gist", GistTokens, fresh={"n_memory": 16}, encoder=False)
