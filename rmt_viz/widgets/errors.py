"""Error messages for visitors: one sentence, never a traceback."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from rmt.errors import InputError
from rmt_viz.widgets.markdown import plain

SORRY = "Something went wrong on this page, and it is our fault. Reload it; the server’s log has the details."


def show_error(error: Exception) -> bool:
    """Show an error that no page caught: the sentence of an InputError, a general one for everything else."""
    if not isinstance(error, InputError):
        logging.getLogger(__name__).error("a page failed", exc_info=error)
    say(str(error) if isinstance(error, InputError) else SORRY)
    return True


@contextmanager
def saying() -> Iterator[None]:
    """What a visitor starts here and may not: an InputError becomes its sentence, and the page goes on."""
    try:
        yield
    except InputError as error:
        say(str(error))


def say(sentence: str) -> None:
    """Show a sentence in an error box; nothing in it is markup."""
    st.error(plain(sentence))
