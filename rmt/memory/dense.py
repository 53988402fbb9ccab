"""Dense retrieval: passages whose hidden states are most like the query's stand before a segment."""

from torch import Tensor
from torch.nn import functional as F

from rmt.backbone import Backbone, Layout
from rmt.memory.base import Mechanism
from rmt.memory.passages import Passages, Text
from rmt.text.segments import Segment


class DenseRetrieval(Passages):
    """Retrieval by embeddings (Karpukhin et al. 2020, arXiv 2004.04906) that are the backbone's own states.

    A passage is scored by the cosine between the mean of its tokens' final hidden states, as they were when it was
    read, and the mean over the query. The paper trains two encoders for this; here nothing is. A classifier reads its
    segment alone first, for the query.
    """

    def __init__(self, dim: int, n_memory: int = 512, **options):
        super().__init__(dim, n_memory, **options)
        self.extra = dim

    def scores(self, backbone: Backbone, segment: Segment, text: Text) -> Tensor:
        n, d = text.extra.shape[1:]
        if self.asked:
            layout = Layout(slice(0, segment.ids.shape[1]), slice(0, 0), slice(0, 0))
            hidden = backbone(backbone.embed(segment.ids), layout=layout, mask=segment.mask).hidden
            query = hidden if segment.mask is None else hidden * segment.mask[..., None]
        else:
            query = text.extra[:, n - text.query :]
        sums = text.extra.new_zeros(len(text.ids), text.whole.shape[1], d)
        sums = sums.scatter_add(1, text.of[..., None].expand_as(text.extra), text.extra)  # (B, P, D)
        return F.cosine_similarity(sums, query.sum(1, keepdim=True), dim=-1)


MECHANISM = Mechanism(
    "dense",
    DenseRetrieval,
    fresh={"n_memory": 512, "passage": 32, "top": 4},
    keeps_tokens=True,
    encoder=False,
    gradient=False,
)
