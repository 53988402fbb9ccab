"""Cut a document into segments. Labels are shifted once, on the whole document, before it is cut."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from rmt.errors import InputError

IGNORE = -100


@dataclass(frozen=True)
class Segment:
    """One segment of a document: ids (B, T), labels (B, T) of the token after each, mask (B, T) of real tokens."""

    ids: Tensor
    labels: Tensor | None = None
    mask: Tensor | None = None

    def __post_init__(self):
        for name in ("labels", "mask"):
            other = getattr(self, name)
            assert other is None or other.shape == self.ids.shape, (name, other.shape, self.ids.shape)


def cuts(n_tokens: int, segment_length: int, alignment: str = "left") -> list[tuple[int, int]]:
    """The first and last token (exclusive) of each segment.

    left: the last segment may be short; right: the first may be; center: near-equal parts.
    """
    if n_tokens < 1 or segment_length < 1:
        raise InputError(f"{n_tokens} tokens cannot be cut into segments of {segment_length}; both must be 1 or more.")
    n_segments = -(-n_tokens // segment_length)
    if alignment == "center":
        segment_length = -(-n_tokens // n_segments)
        n_segments = -(-n_tokens // segment_length)
    elif alignment not in ("left", "right"):
        raise InputError(f"Alignment is left, right or center, not {alignment!r}.")
    first = n_tokens - (n_segments - 1) * segment_length if alignment == "right" else segment_length
    ends = [min(first + i * segment_length, n_tokens) for i in range(n_segments)]
    return list(zip([0, *ends], ends, strict=False))


def split(
    ids: Tensor,
    segment_length: int,
    *,
    labels: Tensor | None = None,
    mask: Tensor | None = None,
    alignment: str = "left",
) -> list[Segment]:
    """Cut ids (B, T) into segments; labels (B, T) are the ids to predict, -100 where none is scored.

    After the shift position t is scored on token t + 1, across segment boundaries too; the document's last
    position has nothing to predict.
    """
    if labels is not None:
        labels = F.pad(labels[:, 1:], (0, 1), value=IGNORE)
    return [
        Segment(ids[:, a:b], None if labels is None else labels[:, a:b], None if mask is None else mask[:, a:b])
        for a, b in cuts(ids.shape[1], segment_length, alignment)
    ]


def split_each(ids: Tensor, mask: Tensor, segment_length: int, *, alignment: str = "left") -> list[Segment]:
    """Cut each document of a batch on its own, ids (B, T) where mask (B, T) is true, so that all end together.

    A shorter document begins with segments that hold none of its tokens, all false in their mask; within a
    segment padding follows the tokens. Encoders read documents in this way.
    """
    rows = [row[real.bool()] for row, real in zip(ids, mask, strict=True)]
    bounds = [cuts(len(row), segment_length, alignment) for row in rows]
    segments = []
    for i in range(max(map(len, bounds))):
        parts = []
        for row, cut in zip(rows, bounds, strict=True):
            empty = max(map(len, bounds)) - len(cut)
            parts.append(row[slice(*cut[i - empty])] if i >= empty else row[:0])
        lengths = torch.tensor([len(part) for part in parts], device=ids.device)
        real = torch.arange(int(lengths.max()), device=ids.device) < lengths[:, None]
        segments.append(Segment(pad_sequence(parts, batch_first=True), mask=real))
    return segments
