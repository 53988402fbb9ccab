"""A field for a visitor's text file, which is read in place of the typed text."""

import streamlit as st

from rmt.errors import InputError
from rmt_viz.shelf.example_texts import MOST_CHARACTERS
from rmt_viz.widgets.markdown import plain

MOST_MB = 50  # of an upload: four bytes for each of the most characters


def typed_or_uploaded(typed: str, key: str) -> str:
    """A field for a text file under a typed text; the text of the two that is to be read.

    Raises InputError where the file is no text.
    """
    file = st.file_uploader(
        "Or a text file",
        type=["txt", "md"],
        max_upload_size=MOST_MB,
        key=key,
        help=f"Up to {MOST_CHARACTERS // 1_000_000} million characters, about two million tokens, in UTF-8.",
    )
    if file is None:
        return typed
    try:
        text = file.getvalue().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("The file is not text in UTF-8; save it so, or paste the text.") from None
    st.caption(plain(f"The {len(text):,} characters of the file are read, not the text above."))
    return text
