"""An encoder that computes its last layer only at the positions that are read: [CLS] and memory.

The last layer's outputs at token positions enter neither the next state nor the answer. In a model of few layers they
are much of the work. The outputs that are read are the same numbers with and without.
"""

from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel

from rmt.backbone.huggingface import HFBackbone
from rmt.backbone.internals import BaseModelOutputWithPoolingAndCrossAttentions
from rmt.backbone.protocol import Layout, Output


def lean(backbone: HFBackbone) -> "HFBackbone | Lean":
    """Wrap a BERT classifier on the CPU so that its last layer is computed only where it is read; return others as is.

    On a GPU `rmt.model.cuda_graph` replays the whole step instead.
    """
    known = type(backbone.trunk) is BertModel and backbone.head == "classify" and not backbone.causal
    return Lean(backbone) if known and next(backbone.parameters()).device.type == "cpu" else backbone


class Lean:
    """A Backbone around a BERT classifier; its output's hidden (B, R, D) ends after memory. See `HFBackbone`."""

    def __init__(self, backbone: HFBackbone):
        self.backbone = backbone

    def __getattr__(self, name: str):
        return getattr(self.backbone, name)

    def __call__(self, x: Tensor, *, layout: Layout, mask: Tensor | None = None, **options) -> Output:
        if mask is not None or options or layout.write is None:
            return self.backbone(x, layout=layout, mask=mask, **options)
        trunk = self.backbone.trunk
        hidden = trunk.embeddings(inputs_embeds=x)
        for layer in trunk.encoder.layer[:-1]:
            hidden = layer(hidden)
        rows = _read(trunk.encoder.layer[-1], hidden, layout.write.stop)
        output = BaseModelOutputWithPoolingAndCrossAttentions(
            last_hidden_state=rows, pooler_output=trunk.pooler(rows) if trunk.pooler is not None else None
        )
        return Output(rows, rows, lambda _: self.backbone._classify(output, layout, None))


def _read(layer: nn.Module, hidden: Tensor, n_rows: int) -> Tensor:
    """Run a layer on hidden (B, N, D) and return its output at the first n_rows positions (B, R, D)."""
    part, rows = layer.attention.self, hidden[:, :n_rows]
    query, key, value = (
        project(of).unflatten(-1, (-1, part.attention_head_size)).transpose(1, 2)
        for project, of in ((part.query, rows), (part.key, hidden), (part.value, hidden))
    )  # (B, H, R or N, D / H)
    mixed = F.scaled_dot_product_attention(query, key, value, scale=part.scaling)
    return layer.feed_forward_chunk(layer.attention.output(mixed.transpose(1, 2).flatten(2), rows))
