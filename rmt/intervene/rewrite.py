"""A document's tokens with facts edited, moved, deleted or inserted, and where everything stands then."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from rmt.errors import InputError
from rmt.intervene.changes import Edit, Move
from rmt.model import Model
from rmt.text.tokenizer import encode


def edited(model: Model, ids: np.ndarray, changes: Sequence[Edit | Move]) -> tuple[np.ndarray, np.ndarray]:
    """The document's ids (Tn,) with its text changed, and the old index of each new token, -1 where it is inserted.

    Positions are those of the document as it was, for all changes. A token that replaces others has the index of the
    first of them.
    """
    gone, put = np.zeros(len(ids), bool), {}
    for change in changes:
        if max(change.end, getattr(change, "to", 0)) > len(ids) or change.start > len(ids):
            raise InputError(f"The document has {len(ids)} tokens, so there is nothing to change at {change}.")
        if gone[change.start : change.end].any():
            raise InputError(f"Two changes want the same tokens; leave out one of them, such as {change}.")
        gone[change.start : change.end] = True
        if isinstance(change, Move):
            put.setdefault(change.to, []).append(np.arange(change.start, change.end))
            continue
        new = _encode(model, change)
        put.setdefault(change.start, []).append(new)
    old = np.arange(len(ids))
    pieces = []
    for a, b in pairwise(sorted({0, *put, len(ids) + 1})):
        for piece in put.get(a, []):
            pieces.append(piece if isinstance(piece, tuple) else (ids[piece], piece))
        kept = old[a:b][~gone[a:b]]
        pieces.append((ids[kept], kept))
    new, origin = (np.concatenate(part) for part in zip(*pieces, strict=True))
    if not len(new):
        raise InputError("Nothing would be left of the document; keep some of it.")
    return new, origin


def carried(spans: Sequence[dict], origin: np.ndarray) -> list[dict]:
    """Where the spans of a document stand after `edited`; those that are gone are left out."""
    found = []
    for span in spans:
        at = np.flatnonzero((origin >= span["start"]) & (origin < span["end"]))
        if len(at):
            found.append({**span, "start": int(at[0]), "end": int(at[-1]) + 1})
    return found


def _encode(model: Model, change: Edit) -> tuple[np.ndarray, np.ndarray]:
    if change.text and model.tokenizer is None:
        raise InputError("This checkpoint has no tokenizer.json, so its text can be moved and deleted only.")
    lead = " " if change.start and change.text[:1].isalnum() else ""  # a word in a text, not the first of one
    new = np.array(encode(model.tokenizer, lead + change.text) if change.text else [], dtype=np.int64)
    return new, np.full(len(new), change.start if change.end > change.start else -1)
