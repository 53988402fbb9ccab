"""Results of other people's packages on numbers drawn here, which tests/tools/packages.py stored in packages.npz."""

import zlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FILE = Path(__file__).with_name("packages.npz")


def numbers(name: str, *shape: int) -> Tensor:
    """Normal numbers in float64, the same for a name wherever they are drawn."""
    return torch.from_numpy(np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape))


def put(weight: Tensor, name: str, *, scaled: bool = False) -> None:
    """Set a weight to the numbers of a name; scaled: divided by the root of its last size."""
    drawn = numbers(name, *weight.shape)
    weight.data.copy_(drawn / weight.shape[-1] ** 0.5 if scaled else drawn)


def expected(name: str) -> Tensor:
    """What a package computed, in float64."""
    with np.load(FILE) as stored:
        return torch.from_numpy(stored[name])
