"""Whether a model's probabilities mean something: its confidence against how often it is right."""

from collections.abc import Sequence

import numpy as np

BINS = 10  # of equal width
DRAWS = 1_000


def calibration_error(confidence: Sequence[float], right: Sequence[bool]) -> float:
    """The expected calibration error of n answers: the mean distance of confidence from accuracy, over ten bins.

    confidence (n,): the probability that the model gave its answer; right (n,). Naeini et al. 2015; Guo et al. 2017,
    arXiv 1706.04599, equation 3. It is above 0 for a perfect model, too, when n is small: see `by_chance`.
    """
    return float(_errors(np.asarray(confidence, float), np.asarray(right, float)[None])[0])


def by_chance(confidence: Sequence[float], *, share: float = 0.95, seed: int = 0) -> float:
    """The calibration error that a model whose probabilities are exact stays below in `share` of all draws.

    Each draw makes answer i right with probability confidence[i]; so an error below this number shows no fault.
    """
    confidence = np.asarray(confidence, float)
    drawn = np.random.default_rng(seed).random((DRAWS, len(confidence))) < confidence
    return float(np.quantile(_errors(confidence, drawn.astype(float)), share))


def _errors(confidence: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(D,) calibration errors of right (D, n)."""
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    member = number == np.arange(BINS)[:, None]  # (bins, n)
    return np.abs((right - confidence) @ member.T).sum(-1) / len(confidence)
