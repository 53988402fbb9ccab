"""Component: the tour. All steps are sent to the browser at once, so going on never runs the page script again."""

import streamlit as st

from rmt.viewer import bundle, keys
from rmt_viz import session
from rmt_viz.components import HERE
from rmt_viz.findings import tour
from rmt_viz.server import address
from rmt_viz.server.routes import PREFIX

_TOUR = st.components.v2.component(
    "rmt_tour",
    html='<div class="tour"></div>\n<!-- drawn by tour.js -->',
    css=bundle.style() + bundle.read(HERE / "tour.css"),
    js=bundle.script(*bundle.MODULES, "source.js", HERE / "tour.js", HERE / "tourpage.js"),
)


def show() -> None:
    """Draw the tour at the step that the address names, by default the first."""
    prefix = st.get_option("server.baseUrlPath").strip("/")
    steps = [tour.laid_out(step, session.library().open) for step in tour.STEPS]
    first = address.counted(str(st.query_params.get("step", "")), len(steps)) or 1
    root = f"/{prefix}" if prefix else ""
    data = {"base": root + PREFIX, "root": root or "/", "steps": steps, "first": first, "keys": keys.table()}
    _TOUR(key="tour", data=data)
