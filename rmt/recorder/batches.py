"""Which documents are read together, and their segments as one batch."""

from collections.abc import Iterator, Sequence

import torch

from rmt.text.segments import Segment


def plan(lengths: Sequence[Sequence[int]], done: Sequence[int]) -> Iterator[tuple[list[int], int, int]]:
    """(rows, first, n): which documents read n segments from `first` on together, in an order that all can follow.

    Together are those whose next segments are as long, for as many segments as they stay so. Each document's last
    segment is not among those before it: it may be shorter, it is where an answer is read, and its end is not scored.
    """
    at = list(done)
    while going := [row for row, own in enumerate(lengths) if at[row] < len(own)]:
        first = min(at[row] for row in going)
        ahead = min((at[row] for row in going if at[row] > first), default=max(map(len, lengths)))
        groups: dict[tuple[int, bool], list[int]] = {}
        for row in going:
            if at[row] == first:
                groups.setdefault((lengths[row][first], first == len(lengths[row]) - 1), []).append(row)
        for (length, last), rows in groups.items():
            n = 1
            while not last and first + n < ahead and all(_goes_on(lengths[row], first + n, length) for row in rows):
                n += 1
            yield rows, first, n
            for row in rows:
                at[row] = first + n


def _goes_on(own: Sequence[int], i: int, length: int) -> bool:
    return i < len(own) - 1 and own[i] == length


def join(documents: list[list[Segment]]) -> list[Segment]:
    """Segments (1, T) of several documents as segments (B, T)."""
    if len(documents) == 1:
        return documents[0]
    return [
        Segment(
            torch.cat([one.ids for one in together]),
            None if together[0].labels is None else torch.cat([one.labels for one in together]),
        )
        for together in zip(*documents, strict=True)
    ]
