"""Numbers as people read them."""

from collections.abc import Sequence

from rmt.tasks.interval import percent

__all__ = ["add_row", "listed", "percent"]


def listed(indices: Sequence[int]) -> str:
    """Indices from 0 as numbers from 1 in a list: 1, 2 and 4."""
    names = [str(int(i) + 1) for i in indices]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def add_row(rows: dict[str, list], *values) -> None:
    """Put a value at the end of each column."""
    for column, value in zip(rows.values(), values, strict=True):
        column.append(value)
