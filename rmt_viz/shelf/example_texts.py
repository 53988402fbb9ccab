"""Texts that visitors give: an example to begin with, a hint on what the model knows, and checks of the text."""

import re

from rmt.errors import InputError
from rmt.tasks import TASKS

MOST_CHARACTERS = 12_000_000  # two million tokens or so
WHILE_WAITING = 20_000  # characters that several models read while somebody waits
ENDING = 2_000  # characters at the end, among which the question is looked for
LEAST_LENGTH = 16  # tokens a segment
NOISE = (
    "The survey of the northern coast was finished in the spring, and its charts were sent to every harbor on the "
    "lakes. Trade along the canals has grown with each season, so that new locks are wanted at three places. The "
    "commission asks for two more engineers and for the means to print its report. Farmers in the valley had a good "
    "year; their wheat was carried by rail as far as the sea, and the price of freight fell by a third. The schools "
    "have opened a second term for those who work in summer."
)
LAST_SENTENCE = re.compile(r"[^.!?\n]*\?\s*$")


def example(task: str | None, segment_length: int = 0) -> str:
    """A text to begin with, for a model of this task: its facts and its question lie in different segments.

    segment_length: in tokens; a word is a token or more.
    """
    noise = " ".join([NOISE] * -(-max(segment_length, 1) // len(NOISE.split())))
    return TASKS[task].example.replace("{noise}", noise) if task in TASKS else NOISE


def hint(task: str | None) -> str:
    """A sentence on what a model of this task can do; "" for an unknown task."""
    return TASKS[task].hint if task in TASKS else ""


def check(text: str, config: dict, segment_length: int) -> None:
    """Check a text before it is run. config: that of the checkpoint that is to read it.

    Raises InputError with what is wrong with the text and what to do.
    """
    check_length(text)
    if not LEAST_LENGTH <= segment_length <= config["segment_length"]:
        raise InputError(f"Choose {LEAST_LENGTH} to {config['segment_length']} tokens a segment.")
    known = TASKS[config["task"]].about if config.get("task") in TASKS else ()
    question = LAST_SENTENCE.search(text[-ENDING:])
    if known and question is None:
        raise InputError("The text does not end with a question; end it with one, such as “Where is John?”")
    if known and not any(re.search(rf"\b{name}\b", question[0], re.IGNORECASE) for name in known):
        raise InputError(f"The question names nobody and nothing the model knows; ask about {_either(known)}.")


def check_length(text: str, most: int = MOST_CHARACTERS) -> None:
    """Check a text's length. Raises InputError where it is empty or has more than so many characters."""
    if not text.strip():
        raise InputError("The text is empty; write a sentence or more.")
    if len(text) > most:
        raise InputError(f"The text has {len(text):,} characters; shorten it to {most:,}.")


def token_ids(text: str) -> list[int]:
    """Token ids that a visitor wrote as numbers, for a model without a tokenizer. Raises InputError for other text."""
    words = text.replace(",", " ").split()
    if not words or not all(re.fullmatch("[0-9]{1,9}", word) for word in words):
        raise InputError("This model has no tokenizer.json, so it reads token ids: numbers with spaces between them.")
    return [int(word) for word in words]


def _either(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"
