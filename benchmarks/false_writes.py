"""How often background alone changes a memory, and which passages do.

python -m benchmarks.false_writes CHECKPOINT [--documents 50] [--segments 60] [--show 10] [--json]

Held-out State of the Union addresses, no sentence left out, tell a memory of people and places nothing. A memory that
has read one segment of them reads each of the others; what it was before is restored in between. Counted are the
segments that leave it as it was to the last bit, which only a memory with gates can, and those that move it by more
than a twentieth of its length. The passages that move it most are shown.
"""

import argparse
import json
from pathlib import Path
from textwrap import shorten

import numpy as np
import torch
from torch import Tensor

from rmt.checkpoint import load
from rmt.errors import InputError
from rmt.model import Model
from rmt.model.provenance import made_by
from rmt.tasks import TASKS
from rmt.tasks.babi import KINDS
from rmt.tasks.base import Sampler
from rmt.tasks.interval import wilson
from rmt.text.segments import Segment

MOVED = 0.05  # of the memory's length


@torch.inference_mode()
def movements(model: Model, *, documents: int, segments: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """How far each segment moves a memory that has read one segment, as a share of its length; and the segments.

    (documents, segments) shares, and ids (documents, segments, T).
    """
    rng, length = np.random.default_rng(seed), model.segment_length
    sampler = Sampler(TASKS[model.about.task], model.tokenizer, "eval")
    texts = np.stack([sampler.filler(rng, (segments + 1) * length) for _ in range(documents)])
    first, *others = torch.from_numpy(texts).unflatten(1, (-1, length)).unbind(1)
    _, before = model.cell.step(model.backbone, Segment(first), model.cell.initial(documents))
    moved = []
    for ids in others:
        _, after = model.cell.step(model.backbone, Segment(ids), before)
        change = model.cell.slots(after) - model.cell.slots(before)
        moved.append(change.norm(dim=(1, 2)) / model.cell.slots(before).norm(dim=(1, 2)))
    return torch.stack(moved, dim=1), torch.stack(others, dim=1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--documents", type=int, default=50)
    parser.add_argument("--segments", type=int, default=60, help="of each, beside the first")
    parser.add_argument("--show", type=int, default=10, help="passages that move memory most")
    parser.add_argument("--json", action="store_true", help="for a program")
    options = parser.parse_args()
    if min(options.documents, options.segments) < 1 or options.show < 0:
        parser.error("documents and segments are 1 or more, show is 0 or more.")
    try:
        _print(options)
    except InputError as error:
        parser.error(str(error))


def _print(options: argparse.Namespace) -> None:
    model = load(options.checkpoint)
    if model.about.task not in KINDS:
        raise InputError(f"{model.about.name} is no model of one of {', '.join(KINDS)}; give one.")
    moved, ids = movements(model, documents=options.documents, segments=options.segments)
    n, order = moved.numel(), moved.flatten().argsort(descending=True)[: options.show]
    shares = {"unchanged": (moved == 0).float().mean().item(), "moved": (moved > MOVED).float().mean().item()}
    passages = [(moved.flatten()[i].item(), model.tokenizer.decode(ids.flatten(0, 1)[i].tolist())) for i in order]
    if options.json:
        print(json.dumps({"segments": n, **shares, "most": passages, "made_by": made_by(model)}))
        return
    for name, words in (("unchanged", "leave memory as it was to the last bit"), ("moved", "move it by more than 5 %")):
        low, high = wilson(shares[name], n)
        print(f"{shares[name]:.2%} of {n} segments ({low:.2%}-{high:.2%}) {words}")
    for share, text in passages:
        print(f"{share:7.3f}  {shorten(text, 300)}")


if __name__ == "__main__":
    main()
