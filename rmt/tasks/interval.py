"""The confidence interval of a share of samples. No torch."""

import math


def wilson(share: float, samples: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score (1927), which has a width at 0 and at 1, too."""
    middle = share + z**2 / (2 * samples)
    half = z * math.sqrt(share * (1 - share) / samples + z**2 / (4 * samples**2))
    scale = 1 + z**2 / samples
    return max(0.0, min(share, (middle - half) / scale)), min(1.0, max(share, (middle + half) / scale))
