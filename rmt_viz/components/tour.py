"""Component: the Tour, one page of prose and pictures. All is sent at once but runs, which are fetched as they come."""

from collections.abc import Sequence

import streamlit as st

from rmt.viewer import bundle, keys
from rmt_viz import session
from rmt_viz.components import HERE
from rmt_viz.findings import tour
from rmt_viz.findings.essay import Sources
from rmt_viz.server.routes import PREFIX
from rmt_viz.shelf import menu

MODULES = tuple(  # each after those it imports
    HERE / name for name in ("story.js", "lanes.js", "switches.js", "passage.js", "plot.js", "presenter.js", "essay.js")
)
STYLES = ("lanes.css", "tour.css")
_TOUR = st.components.v2.component(
    "rmt_tour",
    html='<div class="tour"></div>\n<!-- drawn by essay.js -->',
    css=bundle.style() + "".join(bundle.read(HERE / name) for name in STYLES),
    js=bundle.script(*bundle.MODULES, "source.js", *MODULES, HERE / "tourpage.js"),
)


def show() -> None:
    """Draw the Tour at the step that the address names, by default from its beginning."""
    prefix = st.get_option("server.baseUrlPath").strip("/")
    root = f"/{prefix}" if prefix else ""
    sources = Sources(session.library().open, session.result)
    data = {
        "base": root + PREFIX,
        "root": root or "/",
        "steps": tour.essay(sources),
        "first": tour.named(str(st.query_params.get("step", ""))),
        "keys": keys.table(),
        "next": onward(tour.NEXT),
    }
    _TOUR(key="tour", data=data)


def onward(paths: Sequence[str]) -> list[list[str]]:
    """Pages to go on to: path, question, and a line on what is there."""
    return [[path, menu.ALL[path].question, menu.ALL[path].line] for path in paths]
