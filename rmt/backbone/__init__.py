"""A stock transformers model as embed -> trunk -> head, with exact attention maps beside the fused kernel."""

from rmt.backbone.huggingface import HFBackbone
from rmt.backbone.protocol import Backbone, Layout, Output, answering, wide

__all__ = ["Backbone", "HFBackbone", "Layout", "Output", "answering", "wide"]
