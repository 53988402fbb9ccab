"""A figure on a page with alt text, export as SVG and PNG, and its numbers as CSV and as a table."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE

LONGEST_ID = 24  # characters of a run in the name of a file
CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}
_BAR = st.components.v2.component(
    "rmt_numbers",
    html='<div class="bar"></div>\n<!-- drawn by numbers.js -->',
    css=bundle.read(HERE / "numbers.css"),
    js=bundle.script("dom.js", "theme.js", "draw.js", "fonts.js", "export.js", HERE / "numbers.js"),
)


def theme() -> str:
    """The theme of the visitor's screen, "light" or "dark", as the figures take it."""
    return "dark" if st.context.theme.type == "dark" else "light"


def show(
    figure: go.Figure,
    *,
    name: str,
    alt: str,
    table: Mapping[str, Sequence],
    caption: str = "",
    run: str = "",
    **options,
):
    """Draw a figure; under it a caption and buttons for SVG, PNG, CSV, table and full screen. Returns chart events.

    name: lower-case words with dashes, unique on the page; files are called so, after the id of the run where the
    numbers are of one. alt: what the figure shows, in a
    sentence. table: column -> values, all of one length; strings or numbers. options: of st.plotly_chart, such as
    on_select.
    """
    with st.container(key=f"figure-{_slug(name)}", gap="xsmall"):
        event = st.plotly_chart(figure, theme=None, config=CONFIG, alt=alt, key=f"chart {name}", **options)
        numbers(name=name, table=table, caption=caption, run=run, _figure=True)
    return event


def numbers(
    *, name: str, table: Mapping[str, Sequence], caption: str = "", run: str = "", _figure: bool = False
) -> None:
    """Draw a caption with buttons for numbers, as CSV and as a table; also for what Plotly does not draw."""
    columns = [_column(values) for values in table.values()]
    if len(set(map(len, columns))) > 1:
        raise ValueError(f"the columns of {name} differ in length")
    file = f"{run[:LONGEST_ID]}-{name}" if run else name
    data = {
        "name": name,
        "file": file,
        "caption": caption,
        "figure": _figure,
        "columns": list(table),
        "values": columns,
    }
    _BAR(key=f"numbers {name}", data=data)


def _column(values: Sequence) -> list:
    """A column for the browser: numbers with all their digits, missing ones as None, everything else as text."""
    array = np.asarray(values)
    if array.dtype.kind == "f":  # the shortest decimal number that rounds to each: 0.1, too, where it is of 32 bits
        return [float(str(x)) if np.isfinite(x) else None for x in array.ravel()]
    return array.tolist() if array.dtype.kind in "iub" else [str(value) for value in values]


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
