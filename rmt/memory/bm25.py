"""Retrieval by BM25: passages that share rare words with the query stand before a segment."""

import torch
from torch import Tensor

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism
from rmt.memory.passages import Passages, Text
from rmt.text.segments import Segment

K1 = 1.5  # how soon a word that comes again counts no more


class BM25(Passages):
    """Robertson and Zaragoza 2009, with Lucene's logarithm (Kamphuis et al. 2020), over token ids.

    A passage's score is the sum over the query's tokens of idf tf / (tf + k1), with idf = ln(1 + (N - df + 0.5) /
    (df + 0.5)): tf counts the token in the passage, df the passages with it, of N. All passages are of one length, so
    there is none to correct for. A passage without a word of the query is not read. Computed here rather than by a
    package, as a text has another index after every segment, in every row of a batch.
    """

    def scores(self, backbone: Backbone, segment: Segment, text: Text) -> Tensor:
        query = segment.ids + 1 if self.asked else text.ids[:, text.ids.shape[1] - text.query :]
        if self.asked and segment.mask is not None:
            query = query * segment.mask
        same = (text.ids[:, :, None] == query[:, None]) & (query[:, None] > 0)  # (B, n, Q)
        tf = same.new_zeros(len(query), text.whole.shape[1], query.shape[1], dtype=torch.float32)
        tf = tf.scatter_add(1, text.of[..., None].expand(-1, -1, query.shape[1]), same.float())  # (B, P, Q)
        tf = tf * text.whole[..., None]
        n, df = text.whole.sum(1)[:, None, None], (tf > 0).sum(1, keepdim=True)
        scores = ((1 + (n - df + 0.5) / (df + 0.5)).log() * tf / (tf + K1)).sum(-1)
        return scores.masked_fill(scores == 0, -torch.inf)


MECHANISM = Mechanism(
    "bm25", BM25, fresh={"n_memory": 512, "passage": 32, "top": 4}, keeps_tokens=True, encoder=False, gradient=False
)
