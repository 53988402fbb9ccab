"""Numbers as people read them."""

import math
from collections.abc import Sequence


def percent(share: float | None) -> str:
    """A share as people read it; 100 % only where it is all."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{share:.0%}" if share in (0, 1) else f"{min(max(share, 0.001), 0.999):.1%}"


def listed(indices: Sequence[int]) -> str:
    """Indices from 0 as numbers from 1 in a list: 1, 2 and 4."""
    names = [str(int(i) + 1) for i in indices]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def add_row(rows: dict[str, list], *values) -> None:
    """Put a value at the end of each column."""
    for column, value in zip(rows.values(), values, strict=True):
        column.append(value)
