"""Escaping of text that Streamlit would read as Markdown."""

import re

MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>$:~^&])")


def plain(text: str) -> str:
    """The text with every character that could be markup escaped."""
    return MARKS.sub(r"\\\1", text)
