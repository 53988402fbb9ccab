"""Edit, move, delete or insert tokens of a document, and find the new positions of its spans."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from rmt.errors import InputError
from rmt.intervene.changes import Edit, Move
from rmt.model import Model
from rmt.text.tokenizer import encode


def edited(model: Model, ids: np.ndarray, changes: Sequence[Edit | Move]) -> tuple[np.ndarray, np.ndarray]:
    """Change a document's text: the new ids (Tn,), and the old index of each new token, -1 for an inserted one.

    The positions in all changes are those of the old document. A token that replaces others has the index of the first
    of them.
    """
    removed, inserted = np.zeros(len(ids), bool), {}
    for change in changes:
        if max(change.end, getattr(change, "to", 0)) > len(ids) or change.start > len(ids):
            raise InputError(f"The document has {len(ids)} tokens, so there is nothing to change at {change}.")
        if removed[change.start : change.end].any():
            raise InputError(f"Two changes want the same tokens; leave out one of them, such as {change}.")
        removed[change.start : change.end] = True
        if isinstance(change, Move):
            inserted.setdefault(change.to, []).append(np.arange(change.start, change.end))
            continue
        new = _encode(model, change)
        inserted.setdefault(change.start, []).append(new)
    old = np.arange(len(ids))
    pieces = []
    for a, b in pairwise(sorted({0, *inserted, len(ids) + 1})):
        for piece in inserted.get(a, []):
            pieces.append(piece if isinstance(piece, tuple) else (ids[piece], piece))
        unchanged = old[a:b][~removed[a:b]]
        pieces.append((ids[unchanged], unchanged))
    new, origin = (np.concatenate(part) for part in zip(*pieces, strict=True))
    if not len(new):
        raise InputError("Nothing would be left of the document; keep some of it.")
    return new, origin


def carried(spans: Sequence[dict], origin: np.ndarray) -> list[dict]:
    """Find the spans of a document after `edited`; removed spans are left out."""
    moved = []
    for span in spans:
        positions = np.flatnonzero((origin >= span["start"]) & (origin < span["end"]))
        if len(positions):
            moved.append({**span, "start": int(positions[0]), "end": int(positions[-1]) + 1})
    return moved


def _encode(model: Model, change: Edit) -> tuple[np.ndarray, np.ndarray]:
    """Encode an edit's text: ids, and their old indices as in `edited`."""
    if change.text and model.tokenizer is None:
        raise InputError("This checkpoint has no tokenizer.json, so its text can be moved and deleted only.")
    lead = " " if change.start and change.text[:1].isalnum() else ""  # a word in a text, not the first of one
    new = np.array(encode(model.tokenizer, lead + change.text) if change.text else [], dtype=np.int64)
    return new, np.full(len(new), change.start if change.end > change.start else -1)
