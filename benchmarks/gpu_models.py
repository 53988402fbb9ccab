"""Random models and documents that the checks of a GPU run, and the stand-in for CUDA graphs on a CPU."""

from contextlib import contextmanager

import torch

from benchmarks.common import stock
from benchmarks.verdicts import SkipError
from rmt.backbone import HFBackbone
from rmt.memory import CELLS
from rmt.model import Model, cuda_graph


def random_model(device: str, cell: str, family: str, dtype, *, layers: int, width: int, heads: int, n: int) -> Model:
    """A random model, with weights so large that its memory changes what it reads."""
    model = stock(family, layers=layers, width=width, heads=heads, positions=n + 32, vocabulary=512)
    torch.manual_seed(1)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(std=0.8 * width**-0.5)
    backbone = HFBackbone(model, cls_id=1, sep_id=2)
    if cell == "transformer-xl" and not backbone.causal:
        raise SkipError("Transformer-XL reads with a decoder, and this is an encoder")
    options = {"n_memory": 8, "initial_std": 0.5, **({"d_memory": 16} if cell == "armt" else {})}
    memory = CELLS[cell].fit(backbone, **options)
    for parameter in memory.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(std=0.8 * width**-0.5)
    return Model(backbone, memory, segment_length=n).eval().requires_grad_(False).to(device, dtype)


def document(model: Model, batch: int, segments: int) -> list:
    """Random tokens as segments of the model: batch rows of so many segments."""
    generator = torch.Generator().manual_seed(2)
    return model.split(
        torch.randint(3, 512, (batch, segments * model.segment_length), generator=generator).to(model.device)
    )


@contextmanager
def capturing(device: str):
    """Have a CPU run captured steps: the step itself, warmed up and rewound, stands in for its graph."""

    def stand_in(step):
        for _ in range(cuda_graph.WARM_UP):
            step()
        step.rewind()
        return step

    before = dict(cuda_graph.CAPTURE)
    if device == "cpu":
        cuda_graph.CAPTURE["cpu"] = stand_in
    try:
        yield
    finally:
        cuda_graph.CAPTURE.clear()
        cuda_graph.CAPTURE.update(before)
