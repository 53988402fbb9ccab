"""Batches of documents: a plan of which are read together, and their segments joined."""

from collections.abc import Iterator, Sequence

import torch

from rmt.text.segments import Segment


def plan(lengths: Sequence[Sequence[int]], done: Sequence[int]) -> Iterator[tuple[list[int], int, int]]:
    """Yield (rows, first, n): documents that read n segments from `first` on together, in an order that all can follow.

    Documents are read together while their next segments have the same length. A document's last segment is never in a
    batch with earlier ones: it may be shorter, it has the answer, and its last token is not scored.
    """
    position = list(done)
    while going := [row for row, lengths_of_row in enumerate(lengths) if position[row] < len(lengths_of_row)]:
        first = min(position[row] for row in going)
        ahead = min((position[row] for row in going if position[row] > first), default=max(map(len, lengths)))
        groups: dict[tuple[int, bool], list[int]] = {}
        for row in going:
            if position[row] == first:
                groups.setdefault((lengths[row][first], first == len(lengths[row]) - 1), []).append(row)
        for (length, last), rows in groups.items():
            n = 1
            while not last and first + n < ahead and all(_goes_on(lengths[row], first + n, length) for row in rows):
                n += 1
            yield rows, first, n
            for row in rows:
                position[row] = first + n


def _goes_on(lengths: Sequence[int], i: int, length: int) -> bool:
    return i < len(lengths) - 1 and lengths[i] == length


def join(documents: list[list[Segment]]) -> list[Segment]:
    """Join the segments (1, T) of several documents to segments (B, T)."""
    if len(documents) == 1:
        return documents[0]
    return [
        Segment(
            torch.cat([segment.ids for segment in together]),
            None if together[0].labels is None else torch.cat([segment.labels for segment in together]),
        )
        for together in zip(*documents, strict=True)
    ]
