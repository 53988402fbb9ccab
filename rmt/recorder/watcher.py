"""The recorder: a backbone around a backbone that keeps what attention did."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rmt.backbone import HFBackbone, Layout, Output, answering
from rmt.backbone.attention import Maps, Scores, Weights, thin
from rmt.errors import InputError
from rmt.recorder.run import to_numpy


class Recorder:
    """A Backbone around a Backbone that keeps what attention did in the last segment it ran.

    full: keep whole maps (B, H, N, N) too, as a replay does.
    deferred: keep queries and keys and compute the maps of all layers in one go: fewer kernels, more memory. By
    default where launching a kernel costs more than it does, on CUDA.
    """

    def __init__(self, backbone: HFBackbone, *, full: bool = False, deferred: bool | None = None):
        self.backbone, self.full, self.deferred = backbone, full, deferred
        self.all: Maps | None = None  # of the last segment, all layers

    def __getattr__(self, name):
        return getattr(self.backbone, name)

    @property
    def maps(self) -> list[Maps]:
        """Of the last segment, one a layer."""
        return self.all.layers()

    def __call__(self, x: Tensor, *, layout: Layout, mask: Tensor | None = None, **options) -> Output:
        self.all = None  # what is no longer needed must not be alive beside this segment's activations
        deferred = x.is_cuda if self.deferred is None else self.deferred
        kept, whole = [], []

        def capture(layer: Scores | Weights) -> None:
            if self.full:
                whole.append(layer.full())
            kept.append(layer if deferred and isinstance(layer, Scores) else layer.parts(layout))

        output = self.backbone(x, layout=layout, mask=mask, capture=capture, **options)
        if len(kept) != self.backbone.n_layers:
            raise InputError(
                f"{type(self.backbone.model).__name__} hands out the attention of {len(kept)} of its "
                f"{self.backbone.n_layers} layers; record it at detail 'memory', or use another family."
            )
        with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
            maps = thin(kept, self.backbone, layout, answering(layout, mask))
            self.all = replace(maps, attention=torch.stack(whole)) if self.full else maps
        return output

    def tensors(self, detail: str) -> dict[str, Tensor]:
        """What a trace of this detail keeps of the last segment, (B, ...); names and shapes as in `rmt.trace`."""
        read, write = self.all.read.transpose(0, 1), self.all.write.transpose(0, 1)  # (B, L, H, T, R), (B, L, H, W, T)
        n_maps = read.shape[1] * read.shape[2]
        found = {"mass": self.all.mass.transpose(0, 1), "answer_read": self.all.answer_read.transpose(0, 1)}
        found["token_write"] = write.sum((1, 2, 3)) / (n_maps * max(write.shape[3], 1))
        found["token_read"] = read.sum((1, 2, 4)) / n_maps
        if detail == "thin":
            found["read"], found["write"] = (
                t.to(torch.float16, memory_format=torch.contiguous_format) for t in (read, write)
            )
        return found

    def arrays(self, detail: str) -> dict[str, np.ndarray]:
        """The same of its first sample, without the first axis."""
        return {name: to_numpy(value[0]) for name, value in self.tensors(detail).items()}
