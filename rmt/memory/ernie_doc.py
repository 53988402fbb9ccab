"""ERNIE-Doc: a layer reads what the same layer made of earlier tokens, so that what is cached grows deeper."""

import torch
from torch import Tensor

from rmt.backbone import Backbone
from rmt.memory.base import Mechanism, Step
from rmt.memory.transformer_xl import TransformerXL, read_beside
from rmt.text.segments import Segment


class ErnieDoc(TransformerXL):
    """The enhanced recurrence of Ding et al. 2020 (arXiv 2012.15688, eq. 5), on a stock decoder.

    Transformer-XL's cache, but layer l stands beside its own outputs at the n_memory positions before the segment and
    not beside its inputs there, so that each segment adds the depth of all layers. The state, its slots and its
    detaching are as there; the outputs are those before the final norm. The paper's model is an encoder that reads the
    document twice (the retrospective feed) and learns to order segments: that is left out.
    """

    def step(self, backbone: Backbone, segment: Segment, state: Tensor) -> tuple[Step, Tensor]:
        step, _, outputs = read_with_outputs(backbone, segment, state)
        return step, torch.cat([state, outputs], dim=2)[:, :, outputs.shape[2] :].detach()


def read_with_outputs(backbone: Backbone, segment: Segment, cached: Tensor) -> tuple[Step, Tensor, Tensor]:
    """`read_beside`, and every layer's outputs at the tokens, too: (B, L, T, D), zero at padding."""
    outputs, r = {}, cached.shape[2]

    def leave(i: int, hidden: Tensor) -> None:
        outputs[i] = hidden[:, r:]

    with backbone.around_layers(lambda _, hidden: hidden, leave):
        step, inputs = read_beside(backbone, segment, cached)
    stacked = torch.stack([outputs[i] for i in range(backbone.n_layers)], dim=1)
    return step, inputs, stacked if segment.mask is None else stacked * segment.mask[:, None, :, None]


MECHANISM = Mechanism("ernie-doc", ErnieDoc, fresh={"n_memory": 128}, keeps_tokens=True, encoder=False, gradient=False)
