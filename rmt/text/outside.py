"""What comes with other programs' files and libraries: pointers in place of files, and chatter."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmt.errors import InputError

POINTER = b"version https://git-lfs.github.com/spec/"


def refuse_pointer(path: Path, content: bytes | None = None) -> None:
    """Raise InputError for a text that stands in place of a file that git-lfs keeps elsewhere."""
    if content is None:
        with open(path, "rb") as opened:
            content = opened.read(len(POINTER))
    if content.startswith(POINTER):
        raise InputError(
            f"{path} is a pointer of Git LFS and not the file itself: run `git lfs install` and `git lfs pull` in its "
            "folder, or download the file from the hub."
        )


@contextmanager
def quiet() -> Iterator[None]:
    """While open, transformers shows no progress bars and no warnings: what they tell stands in our report."""
    from transformers import logging as chatter

    verbosity, bars = chatter.get_verbosity(), chatter.is_progress_bar_enabled()
    chatter.set_verbosity(logging.CRITICAL)
    chatter.disable_progress_bar()
    try:
        yield
    finally:
        chatter.set_verbosity(verbosity)
        if bars:
            chatter.enable_progress_bar()
