"""Handling of other programs' files and libraries: Git LFS pointers in place of files, and transformers' messages."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rmt.errors import InputError

POINTER = b"version https://git-lfs.github.com/spec/"


def refuse_pointer(path: Path, content: bytes | None = None) -> None:
    """Raise InputError where a file is only a Git LFS pointer to the real one."""
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
    """Context in which transformers prints no progress bars and no warnings, whose content is in the report."""
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
