"""Whole numbers as parts of a state: a token's id or its place in the text, exact in every precision."""

import torch
from torch import Tensor

DIGITS = 3  # to the base 256, as shares of 256, which even bfloat16 holds exactly: numbers below 16,777,216
BASE = 256


def written(numbers: Tensor, dtype: torch.dtype) -> Tensor:
    """Write whole numbers (...,) as digits (..., DIGITS) in [0, 1), lowest first; 0 is all zeros."""
    digits = [numbers // BASE**i % BASE for i in range(DIGITS)]
    return torch.stack(digits, dim=-1).to(dtype) / BASE


def number(digits: Tensor) -> Tensor:
    """The whole numbers (...,) that digits (..., DIGITS) stand for."""
    whole = (digits.float() * BASE).round().long()
    return sum(whole[..., i] * BASE**i for i in range(DIGITS))
