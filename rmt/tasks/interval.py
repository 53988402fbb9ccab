"""Shares of samples: the confidence interval of one, and one as people read it. No torch."""

import math


def wilson(share: float, samples: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % confidence interval of a share by Wilson's score (1927), which has a width at 0 and at 1, too."""
    middle = share + z**2 / (2 * samples)
    half = z * math.sqrt(share * (1 - share) / samples + z**2 / (4 * samples**2))
    scale = 1 + z**2 / samples
    return max(0.0, min(share, (middle - half) / scale)), min(1.0, max(share, (middle + half) / scale))


def percent(share: float | None) -> str:
    """Format a share in percent: 100 % only where it is all, 0 % only where it is nothing, else a dash."""
    if share is None or not math.isfinite(share):
        return "–"
    digits = 0 if share in (0, 1) else 1 if share < 0.9995 else 2
    return f"{share if digits == 0 else min(max(share, 0.001), 0.9999):.{digits}%}"
