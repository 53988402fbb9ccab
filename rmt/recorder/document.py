"""A text as a document to record: token ids, the text of each token, and the spans of facts and question."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from rmt.errors import InputError
from rmt.model import Model
from rmt.tasks import TASKS
from rmt.tasks.base import Span
from rmt.tasks.questions import Look
from rmt.tasks.spans import find_spans
from rmt.text.tokenizer import unknown_id

SOME = 4096  # tokens whose texts are joined in one go


@dataclass(frozen=True)
class Document:
    """A document: ids (n_tokens,), the tokens' texts joined, the end of each in bytes, and the spans of its facts.

    unknown: the number of tokens that stand for words outside of the vocabulary.
    """

    ids: np.ndarray
    text: bytes
    ends: np.ndarray
    spans: list[Span]
    unknown: int = 0


def read_document(model: Model, text: str | Sequence[int] | np.ndarray | Tensor) -> Document:
    """Make a document of a string or of token ids (n_tokens,). Raises InputError for what the model cannot read."""
    if isinstance(text, str):
        return _read_text(model, text)
    try:
        ids = np.asarray(text.cpu() if isinstance(text, Tensor) else text)
    except ValueError:  # rows of different lengths
        ids = np.empty((2, 0))
    if ids.dtype.kind in "UO":
        raise InputError("A document is one string, or a row of token ids; record several strings one by one.")
    if ids.ndim == 2 and len(ids) == 1:
        ids = ids[0]
    if ids.ndim > 1:
        raise InputError(
            f"Token ids of one document are a row of numbers, and these have the shape {ids.shape}: record the "
            f"{len(ids)} documents one by one, or with record_all."
        )
    ids = ids.reshape(-1)
    size = vocabulary_size(model)
    if not len(ids) or not np.issubdtype(ids.dtype, np.integer) or ids.min() < 0 or ids.max() >= size:
        raise InputError(f"Token ids are whole numbers from 0 to {size - 1}, at least one of them.")
    ids = ids.astype(np.int64, copy=False)
    return Document(ids, *_texts(model, ids), [], 0)


def vocabulary_size(model: Model) -> int:
    return model.backbone.model.get_input_embeddings().num_embeddings


def _read_text(model: Model, text: str) -> Document:
    """Make a document of a string. The text of a word outside of the vocabulary is that of the unknown token."""
    if model.tokenizer is None:
        raise InputError("This checkpoint has no tokenizer.json, so it reads token ids only; give those.")
    text = text.encode("utf-8", "replace").decode()
    encoding = model.tokenizer.encode(text, add_special_tokens=False)
    if not encoding.ids:
        raise InputError("The text is empty; write at least one word.")
    ids = np.array(encoding.ids)
    if ids.max() >= vocabulary_size(model):
        word = model.tokenizer.id_to_token(int(ids.max()))
        raise InputError(
            f"The tokenizer knows {ascii(word)[:40]}, and the model has no embedding for it; leave it out of the text."
        )
    ends = np.maximum.accumulate([end for _, end in encoding.offsets])
    ends[-1] = len(text)  # white space at the end belongs to the last token
    pieces = [text[a:b].encode() for a, b in zip([0, *ends], ends, strict=False)]
    spans, unknown = find_spans(text, ends, model.about.classes, _looks(model)), unknown_id(model.tokenizer)
    lacking = np.flatnonzero(ids == unknown) if unknown is not None else []
    for i in lacking:
        pieces[i] = _marked(pieces[i], model.tokenizer.id_to_token(unknown))
    before, after = model.around
    if before or after:
        ids = np.array([*before, *ids, *after])
        pieces = [*(_token_text(model, i) for i in before), *pieces, *(_token_text(model, i) for i in after)]
        spans = [replace(span, start=span.start + len(before), end=span.end + len(before)) for span in spans]
    return Document(ids, b"".join(pieces), np.cumsum([len(piece) for piece in pieces]), spans, len(lacking))


def _looks(model: Model) -> tuple[Look, ...]:
    """How facts look of which any can be asked for; of other tasks those of the question are looked for alone."""
    task = TASKS.get(model.about.task)
    return task.looks if task and task.asks else ()


def _marked(piece: bytes, mark: str) -> bytes:
    """Replace a word by the unknown token's text; its spaces stay."""
    word = piece.strip()
    return piece.replace(word, mark.encode(), 1) if word else mark.encode()


def _texts(model: Model, ids: np.ndarray) -> tuple[bytes, np.ndarray]:
    """The joined texts of all tokens and the end of each, made with one look-up an id, as documents are long."""
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
