"""Themes and sizes in which a journey is made: all of them only where pictures are taken.

A theme changes nothing but colours, and test_every_page.py looks at every page in both, whatever is taken.
"""

import os
from collections.abc import Iterable

ALL = os.environ.get("RMT_PICTURES") != "0"
THEMES = ["light", "dark"] if ALL else ["light"]


def looks(sizes: Iterable) -> list[tuple]:
    """(size, theme): every size in the light theme, and in the dark one the first."""
    first, *others = sizes
    return [(first, "light"), (first, "dark"), *((size, theme) for size in others for theme in THEMES)]
