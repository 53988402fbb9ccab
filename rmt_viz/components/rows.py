"""Component: the rows of the gallery, each a link that opens its run."""

import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE

_ROWS = st.components.v2.component(
    "rmt_rows",
    html='<div class="rows"></div>\n<!-- drawn by rows.js -->',
    css=bundle.read(HERE / "rows.css"),
    js=bundle.script("dom.js", "theme.js", HERE / "rows.js"),
)


def show(rows: list[dict]) -> str | None:
    """Draw rows, as `rmt_viz.findings.gallery.line` makes them. Returns the id of the one just clicked, or None."""
    prefix = st.get_option("server.baseUrlPath").strip("/")
    chosen = _ROWS(key="rows", data={"rows": rows, "address": f"/{prefix}/" if prefix else "/"},
                   on_open_change=lambda: None).open  # fmt: skip
    return chosen if isinstance(chosen, str) else None
