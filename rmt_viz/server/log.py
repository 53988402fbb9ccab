"""The server's log: one line an event, and in none of them what a visitor wrote.

An error is its type and the places it went through; its message, which may quote a text, stays out.
"""

import logging
import traceback
from pathlib import Path

FRAMES = 6  # of an error's way, the innermost first


class OneLine(logging.Formatter):
    """A time, a level and what happened; an error's way behind it."""

    def __init__(self):
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        line = f"{self.formatTime(record)} {record.levelname} {record.getMessage()}"
        return (line if error is None else f"{line}: {way(error)}").replace("\n", " ").replace("\r", " ")


def way(error: BaseException) -> str:
    """An error's type, and the places in files that it went through."""
    frames = traceback.extract_tb(error.__traceback__)[::-1][:FRAMES]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)
    return f"{type(error).__name__} at {places}" if places else type(error).__name__


def begin() -> None:
    """Write what the app has to say to standard error, once however often it is called."""
    logger = logging.getLogger("rmt_viz")
    if not any(isinstance(handler.formatter, OneLine) for handler in logger.handlers):
        handler = logging.StreamHandler()
        handler.setFormatter(OneLine())
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
