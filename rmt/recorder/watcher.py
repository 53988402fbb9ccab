"""The recorder: a backbone around a backbone that records attention."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rmt.backbone import HFBackbone, Layout, Output, answering
from rmt.backbone.attention import Maps, Scores, Weights, thin
from rmt.errors import InputError
from rmt.recorder.run import to_numpy


class Recorder:
    """A Backbone around a Backbone that keeps the attention maps of the last segment it read.

    full: keep whole maps (B, H, N, N) too, for a replay.
    deferred: keep queries and keys and compute the maps of all layers at once: fewer kernels, more memory; by default
    on CUDA, where launching a kernel can cost more than running it.
    """

    def __init__(self, backbone: HFBackbone, *, full: bool = False, deferred: bool | None = None):
        self.backbone, self.full, self.deferred = backbone, full, deferred
        self.all: Maps | None = None  # of the last segment, all layers

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    @property
    def maps(self) -> list[Maps]:
        """The maps of the last segment, layer by layer."""
        return self.all.layers()

    def __call__(self, x: Tensor, *, layout: Layout, mask: Tensor | None = None, **options) -> Output:
        self.all = None  # free the last segment's maps before this segment's activations are made
        deferred = x.is_cuda if self.deferred is None else self.deferred
        layers, whole = [], []

        def capture(layer: Scores | Weights) -> None:
            if self.full:
                whole.append(layer.full())
            layers.append(layer if deferred and isinstance(layer, Scores) else layer.parts(layout))

        output = self.backbone(x, layout=layout, mask=mask, capture=capture, **options)
        if len(layers) != self.backbone.n_layers:
            raise InputError(
                f"{type(self.backbone.model).__name__} hands out the attention of {len(layers)} of its "
                f"{self.backbone.n_layers} layers; record it at detail 'memory', or use another family."
            )
        heads = {layer.query.shape[1] if isinstance(layer, Scores) else layer[0].shape[1] for layer in layers}
        if heads != {self.backbone.n_heads}:
            raise InputError(
                f"{type(self.backbone.model).__name__} hands out the attention of {', '.join(map(str, sorted(heads)))} "
                f"heads a layer, and its configuration has {self.backbone.n_heads}; record it at detail 'memory'."
            )
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            maps = thin(layers, self.backbone, layout, answering(layout, mask))
            self.all = replace(maps, attention=torch.stack(whole)) if self.full else maps
        return output

    def tensors(self, detail: str) -> dict[str, Tensor]:
        """The arrays of the last segment for a trace of this detail, (B, ...); names and shapes as in `rmt.trace`."""
        read, write = self.all.read.transpose(0, 1), self.all.write.transpose(0, 1)  # (B, L, H, T, R), (B, L, H, W, T)
        n_maps = read.shape[1] * read.shape[2]
        arrays = {"mass": self.all.mass.transpose(0, 1), "answer_read": self.all.answer_read.transpose(0, 1)}
        arrays["token_write"] = write.sum((1, 2, 3)) / (n_maps * max(write.shape[3], 1))
        arrays["token_read"] = read.sum((1, 2, 4)) / n_maps
        if detail == "thin":
            arrays["read"], arrays["write"] = (
                t.to(torch.float16, memory_format=torch.contiguous_format) for t in (read, write)
            )
        return arrays

    def arrays(self, detail: str) -> dict[str, np.ndarray]:
        """The same arrays of the first sample, in numpy, without the first axis."""
        return {name: to_numpy(value[0]) for name, value in self.tensors(detail).items()}
