"""A text as a model reads it: token ids, the text of each, and where in it facts and questions stand."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from rmt.errors import InputError
from rmt.model import Model
from rmt.tasks.base import Span
from rmt.tasks.spans import find_spans

SOME = 4096  # tokens whose texts are looked up at once


@dataclass(frozen=True)
class Document:
    """A text in tokens: ids (n_tokens,), their texts as one, where each ends in it in bytes, and the spans found."""

    ids: np.ndarray
    text: bytes
    ends: np.ndarray
    spans: list[Span]


def read_document(model: Model, text: str | Sequence[int] | np.ndarray | Tensor) -> Document:
    """A string or token ids (n_tokens,) as a document. Raises InputError for what the model cannot read."""
    if isinstance(text, str):
        if model.tokenizer is None:
            raise InputError("This checkpoint has no tokenizer.json, so it reads token ids only; give those.")
        text = text.encode("utf-8", "replace").decode()
        encoding = model.tokenizer.encode(text, add_special_tokens=False)
        if not encoding.ids:
            raise InputError("The text is empty; write at least one word.")
        ends = np.maximum.accumulate([end for _, end in encoding.offsets])
        ends[-1] = len(text)  # white space at the end belongs to the last token
        pieces = [text[a:b].encode() for a, b in zip([0, *ends], ends, strict=False)]
        spans = find_spans(text, ends, model.about.classes)
        return Document(np.array(encoding.ids), text.encode(), np.cumsum([len(piece) for piece in pieces]), spans)
    ids = np.asarray(text.cpu() if isinstance(text, Tensor) else text).reshape(-1)
    size = len(model.backbone.embeddings)
    if not len(ids) or not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0 or ids.max() >= size:
        raise InputError(f"Token ids are whole numbers from 0 to {size - 1}, at least one of them.")
    ids = ids.astype(np.int64, copy=False)
    return Document(ids, *_texts(model, ids), [])


def _texts(model: Model, ids: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The text of all tokens and where each ends; made from a table of each id's, as documents are long."""
    known = np.flatnonzero(np.bincount(ids))
    table, lengths = {int(i): _token_text(model, int(i)) for i in known}, np.zeros(known[-1] + 1, np.int64)
    lengths[known] = [len(text) for text in table.values()]
    ends = lengths[ids]
    np.cumsum(ends, out=ends)
    blocks = (ids[i : i + SOME].tolist() for i in range(0, len(ids), SOME))
    return b"".join(b"".join(map(table.__getitem__, block)) for block in blocks), ends


def _token_text(model: Model, token: int) -> bytes:
    if model.tokenizer is None:
        return f"[{token}]".encode()
    return model.tokenizer.decode([token], skip_special_tokens=False).encode("utf-8", "replace")
