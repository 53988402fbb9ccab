"""Numbers as people read them."""

import math
from collections.abc import Sequence


def percent(share: float | None) -> str:
    """A share as people read it; 100 % only where it is all, 0 % only where it is nothing."""
    if share is None or not math.isfinite(share):
        return "–"
    digits = 0 if share in (0, 1) else 1 if share < 0.9995 else 2
    return f"{share if digits == 0 else min(max(share, 0.001), 0.9999):.{digits}%}"


def listed(indices: Sequence[int]) -> str:
    """Indices from 0 as numbers from 1 in a list: 1, 2 and 4."""
    names = [str(int(i) + 1) for i in indices]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def names(words: Sequence[str]) -> str:
    """Words in a list: Mary, John and Daniel."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def add_row(rows: dict[str, list], *values) -> None:
    """Put a value at the end of each column."""
    for column, value in zip(rows.values(), values, strict=True):
        column.append(value)
