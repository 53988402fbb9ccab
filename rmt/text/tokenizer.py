"""Tokenizers: a byte-level BPE that we train, or the one that comes with a pretrained backbone."""

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
    """Train a byte-level BPE, which can encode any text.

    Runs of white space become one space, and a text begins with one, so that a word has the same token at every place.
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


# Names of tokenizer files in a folder; transformers reads all of them.
FILES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model",
    "spm.model",
)  # fmt: skip


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer, the special ids that its model expects before and after a text, and the ids of [CLS] and [SEP]."""

    tokenizer: Tokenizer
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    cls_id: int | None = None
    sep_id: int | None = None


def find_tokenizer(folder: Path) -> Path | None:
    """Find a folder's tokenizer file, None where it has none."""
    return next((folder / name for name in FILES if (folder / name).is_file()), None)


def open_tokenizer(path: Path) -> Tokenizer:
    """Open a tokenizer.json so that "[SEP]" in a text is five characters and not a special token.

    Truncation and padding, with which sentence encoders are shipped, are turned off.
    """
    refuse_pointer(path)
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception:  # the library raises nothing narrower
        raise InputError(f"{path} is not a tokenizer; copy it again.") from None
    return _plain(tokenizer)


def _plain(tokenizer: Tokenizer) -> Tokenizer:
    """Turn off special tokens in texts, truncation and padding; return the same tokenizer."""
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def open_vocabulary(path: Path) -> Vocabulary:
    """Open a stock model's tokenizer with AutoTokenizer from its folder, without the hub and without the folder's code.

    path: of `find_tokenizer`. A tokenizer.json without tokenizer_config.json is opened directly.
    """
    folder = path.parent
    alone = path.name == "tokenizer.json"
    refuse_pointer(path)
    if alone and not (folder / "tokenizer_config.json").is_file():
        return _from_file(path)
    try:
        auto_tokenizer = _auto(folder)
        tokenizer = Tokenizer.from_str(auto_tokenizer.backend_tokenizer.to_str())
    except Exception as error:  # another program's tokenizer can make transformers raise anything
        if alone:
            return _from_file(path)
        why = f"{type(error).__name__}: {ascii(str(error))[1:-1][:120]}"
        raise InputError(
            f"transformers makes no tokenizer of {path} ({why}). Where it opens elsewhere, save it there as "
            "tokenizer.json (AutoTokenizer.from_pretrained(…).save_pretrained(…)) and put that beside the weights."
        ) from None
    size = len(tokenizer.get_vocab(with_added_tokens=True))
    before, after = _around(tokenizer)
    marks = {name: getattr(auto_tokenizer, f"{name}_token_id", None) for name in ("cls", "sep")}
    marks = {f"{n}_id": i if isinstance(i, int) and 0 <= i < max(size, 1 << 20) else None for n, i in marks.items()}
    return Vocabulary(_plain(tokenizer), before, after, **marks)


def vocabulary_of(tokenizer) -> Vocabulary | None:
    """Make a vocabulary of an open tokenizer, a fast one of transformers or one of tokenizers; None for None."""
    if tokenizer is None:
        return None
    backend = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(backend, Tokenizer):
        raise InputError(
            f"A {type(tokenizer).__name__} is no tokenizer that is read here; give a fast one of transformers, or one "
            "of tokenizers, or leave it out and give token ids."
        )
    copy = Tokenizer.from_str(backend.to_str())
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
    """The special ids that a tokenizer puts before a text and after it."""
    word = next((w for w in ("a", "the", "w9", "e", "o") if tokenizer.encode(w, add_special_tokens=False).ids), "a")
    bare, whole = (tokenizer.encode(word, add_special_tokens=flag).ids for flag in (False, True))
    for first in range(len(whole) - len(bare) + 1):
        if whole[first : first + len(bare)] == bare and bare:
            return tuple(whole[:first]), tuple(whole[first + len(bare) :])
    return (), ()


@cache
def unknown_id(tokenizer: Tokenizer) -> int | None:
    """The id of a tokenizer's unknown token, None where it can encode any text."""
    token = getattr(tokenizer.model, "unk_token", None)
    if isinstance(token, str):
        return tokenizer.token_to_id(token)
    if type(tokenizer.model).__name__ == "Unigram":
        return json.loads(tokenizer.to_str())["model"].get("unk_id")
    return None


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """Encode a text as ids, without special tokens around it."""
    return tokenizer.encode(text, add_special_tokens=False).ids
