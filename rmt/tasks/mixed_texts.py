"""Texts that another benchmark has mixed: facts, background and question as they come, such as those of BABILong."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from rmt.errors import InputError

COLUMNS = ("input", "question", "target")
HUB = "RMT-team/babilong"


@dataclass(frozen=True)
class MixedText:
    """A text with its question and the word that answers it."""

    text: str
    question: str
    answer: str


def mixed_texts(source: str, length: str, task: str, most: int) -> Iterator[MixedText]:
    """Yield at most `most` texts of a dataset of the hub, or of a local folder laid out like it.

    source: "RMT-team/babilong", or a folder; length: its configuration, such as "4k"; task: its split, such as "qa1".
    Raises InputError for a dataset that cannot be opened, has no such length or task, or other columns.
    """
    try:
        from datasets import load_dataset

        rows = load_dataset(source, length, split=task, streaming=True)
        for row in islice(rows, most):
            if missing := [name for name in COLUMNS if not isinstance(row.get(name), str)]:
                raise InputError(f"{source} has no text in the column {missing[0]}; its columns are {', '.join(row)}.")
            yield MixedText(row["input"], row["question"], row["target"].strip())
    except InputError:
        raise
    except Exception as error:  # the network, the hub and many file formats can raise anything
        why = " ".join(str(error).split())[:160]
        where = "" if Path(source).is_dir() else " It needs the network, or a folder laid out like it."
        raise InputError(f"{source} cannot be read at length {length}, task {task} ({why}).{where}") from None
