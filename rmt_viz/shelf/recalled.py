"""Rows of the tables of what trained mechanisms give back, and of texts longer than trained on. No torch."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recalled:
    """What a trained mechanism gives back in one experiment of `benchmarks.recall`; numbers: the size of its memory."""

    mechanism: str
    seed: int
    experiment: str
    x: int
    accuracy: float
    low: float
    high: float
    documents: int
    numbers: int
    control: str = "none"


@dataclass(frozen=True)
class Stretched:
    """A loss in nats on windows longer than trained on; see `benchmarks.stretched`. Differences are paired.

    below_window, below_extrapolation: how much lower it is than that of the window of training, and of extrapolation.
    """

    reads: str
    times: int
    tokens: int
    tuned: bool
    documents: int
    loss: float
    stderr: float
    below_window: float = math.nan
    below_window_stderr: float = math.nan
    below_extrapolation: float = math.nan
    below_extrapolation_stderr: float = math.nan
