"""Tokenizers: a byte-level BPE we train, or the one a pretrained backbone brings."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from rmt.errors import InputError
from rmt.text.outside import quiet, refuse_pointer

PAD, CLS, SEP = "[PAD]", "[CLS]", "[SEP]"


def train_tokenizer(texts: Iterable[str], *, size: int = 4096) -> Tokenizer:
    """A byte-level BPE: every text a person can type becomes tokens.

    Runs of white space become one space and a text begins with one, so that a word has the same token wherever
    it stands.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[PAD, CLS, SEP],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


# What a folder may keep its tokenizer in; transformers reads all of them.
FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
    "spm.model",
)  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, the ids that its model was trained to see before a text and after it, and those of an encoder's
    marks."""

    tokenizer: Tokenizer
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    cls_id: int | None = None
    sep_id: int | None = None


def find_tokenizer(folder: Path) -> Path | None:
    """The file that a folder keeps its tokenizer in, None where it has none."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def open_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json, read so that "[SEP]" typed by a person is five characters and not a mark.

    Sentence encoders ship theirs with a greatest length and padding; a document here is as long as it is.
    """
    refuse_pointer(path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception:  # the library raises nothing narrower
        raise InputError(f"{path} is not a tokenizer; copy it again.") from None
    return _plain(tokenizer)


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def open_vocabulary(path: Path) -> Vocabulary:
    """A stock model's tokenizer as AutoTokenizer reads it from its folder, without the hub and without code of the
    folder.

    path: of `find_tokenizer`. A tokenizer.json alone is read as it is.
    """
    folder = path.parent
    alone = path.name == "tokenizer.json"
    refuse_pointer(path)
    if alone and not (folder / "tokenizer_config.json").is_file():
        return _from_file(path)
    try:
        found = _auto(folder)
        tokenizer = Tokenizer.from_str(found.backend_tokenizer.to_str())
    except Exception as error:  # whatever a tokenizer of another program makes transformers trip over
        if alone:
            return _from_file(path)
        why = f"{type(error).__name__}: {ascii(str(error))[1:-1][:120]}"
        raise InputError(
            f"transformers makes no tokenizer of {path} ({why}). Where it opens elsewhere, save it there as "
            "tokenizer.json (AutoTokenizer.from_pretrained(…).save_pretrained(…)) and put that beside the weights."
        ) from None
    size = len(tokenizer.get_vocab(with_added_tokens=True))
    before, after = _around(tokenizer)
    marks = {name: getattr(found, f"{name}_token_id", None) for name in ("cls", "sep")}
    marks = {f"{n}_id": i if isinstance(i, int) and 0 <= i < max(size, 1 << 20) else None for n, i in marks.items()}
    return Vocabulary(_plain(tokenizer), before, after, **marks)


def vocabulary_of(tokenizer) -> Vocabulary | None:
    """A tokenizer of transformers (a fast one) or of tokenizers that is already open; None for none."""
    if tokenizer is None:
        return None
    own = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(own, Tokenizer):
        raise InputError(
            f"A {type(tokenizer).__name__} is no tokenizer that is read here; give a fast one of transformers, or one "
            "of tokenizers, or leave it out and give token ids."
        )
    copy = Tokenizer.from_str(own.to_str())
    before, after = _around(copy)
    marks = {f"{name}_id": getattr(tokenizer, f"{name}_token_id", None) for name in ("cls", "sep")}
    return Vocabulary(_plain(copy), before, after, **marks)


def _auto(folder: Path):
    from transformers import AutoTokenizer

    with quiet():
        return AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)


def _from_file(path: Path) -> Vocabulary:
    tokenizer = open_tokenizer(path)
    return Vocabulary(tokenizer, *_around(tokenizer))


def _around(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What a tokenizer puts before a text and after it."""
    word = next((w for w in ("a", "the", "w9", "e", "o") if tokenizer.encode(w, add_special_tokens=False).ids), "a")
    bare, whole = (tokenizer.encode(word, add_special_tokens=flag).ids for flag in (False, True))
    for first in range(len(whole) - len(bare) + 1):
        if whole[first : first + len(bare)] == bare and bare:
            return tuple(whole[:first]), tuple(whole[first + len(bare) :])
    return (), ()


@cache
def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id that a tokenizer gives to what its vocabulary lacks, None where it lacks nothing."""
    token = getattr(tokenizer.model, "unk_token", None)
    if isinstance(token, str):
        return tokenizer.token_to_id(token)
    if type(tokenizer.model).__name__ == "Unigram":
        return json.loads(tokenizer.to_str())["model"].get("unk_id")
    return None


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a text, with no marks added around them."""
    return tokenizer.encode(text, add_special_tokens=False).ids
