"""Component: the list of tokens that memory helped and hurt most."""

import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE
from rmt_viz.findings import one_text
from rmt_viz.shelf.library import Run

_JUMPS = st.components.v2.component(
    "rmt_jumps",
    html='<div class="jumps"></div>\n<!-- drawn by jumps.js -->',
    css=bundle.read(HERE / "jumps.css"),
    js=bundle.script("dom.js", "theme.js", HERE / "jumps.js"),
)


def show(run: Run, reset: Run) -> int | None:
    """Draw the list. Returns the segment, counted from 1, of the token just clicked; None without a click."""
    helped, hurt = one_text.jumps(run.trace, reset.trace)
    groups = (("helped", "Memory helped most", helped), ("hurt", "Memory hurt most", hurt))
    prefix = st.get_option("server.baseUrlPath").strip("/")
    data = {
        "trace": run.id,
        "address": f"/{prefix}/" if prefix else "/",
        "groups": [{"kind": kind, "title": title, "rows": one_text.rows(of)} for kind, title, of in groups],
    }
    chosen = _JUMPS(key="jumps", data=data, on_open_change=lambda: None).open
    return int(chosen) if isinstance(chosen, int | float) and 1 <= chosen <= run.trace.done else None
