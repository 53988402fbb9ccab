"""Numbers in words: percentages and lists, and rows of a table."""

from collections.abc import Sequence

from rmt.tasks.interval import percent

__all__ = ["add_row", "listed", "percent", "segments"]


def listed(indices: Sequence[int]) -> str:
    """Indices from 0 as a list of numbers from 1: "1, 2 and 4"."""
    names = [str(int(i) + 1) for i in indices]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def names(words: Sequence[str]) -> str:
    """Words in a list: Mary, John and Daniel."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def segments(n: int) -> str:
    """A number of segments in words: "1 segment", "2,000 segments"."""
    return f"{n:,} segment{'s' if n != 1 else ''}"


def add_row(rows: dict[str, list], *values) -> None:
    """Append a row: one value to each column."""
    for column, value in zip(rows.values(), values, strict=True):
        column.append(value)
