"""The mean of two checkpoints' weights, the second trained on from the first: python -m benchmarks.average A B OUT."""

import json
import shutil
import sys
from pathlib import Path

import torch

from rmt.checkpoint import load, save


def average(first: Path, second: Path, out: Path) -> None:
    """Half precision on disk; settings and curves are the second's, the tokenizer is that of both."""
    model, other = (load(path, device="cpu") for path in (first, second))
    weights = other.state_dict()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(weights[name], 0.5)
    spec = json.loads((second / "config.json").read_text())
    save(model, {**spec, "mean_of": [first.name, second.name]}, out, dtype=torch.float16)
    shutil.copyfile(second / "metrics.jsonl", out / "metrics.jsonl")


if __name__ == "__main__":
    average(*map(Path, sys.argv[1:4]))
