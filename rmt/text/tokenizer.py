"""Tokenizers: a byte-level BPE we train, or the one a pretrained backbone brings."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from rmt.errors import InputError

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


def open_tokenizer(path: Path) -> Tokenizer:
    """A tokenizer.json, read so that "[SEP]" typed by a person is five characters and not a mark.

    Sentence encoders ship theirs with a greatest length and padding; a document here is as long as it is.
    """
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception:  # the library raises nothing narrower
        raise InputError(f"{path} is not a tokenizer; copy it again.") from None
    tokenizer.encode_special_tokens = True
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def encode(tokenizer: Tokenizer, text: str) -> list[int]:
    """The ids of a text, with no marks added around them."""
    return tokenizer.encode(text, add_special_tokens=False).ids
