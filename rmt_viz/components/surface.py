"""The stepping surface on a page."""

import numpy as np
import streamlit as st

from rmt.viewer import bundle, keys
from rmt_viz import session
from rmt_viz.components import HERE
from rmt_viz.library import Run
from rmt_viz.routes import PREFIX

_SURFACE = st.components.v2.component(
    "rmt_surface",
    html='<div class="surface"></div>\n<!-- drawn by surface.js -->',
    css=bundle.style(),
    js=bundle.script(*bundle.MODULES, "source.js", HERE / "streamlit.js"),
)


def limits(run: Run) -> dict:
    """Fields of the view that the surface keeps in the address, and what they may be."""
    made = run.trace.meta["made_by"]
    return {
        "segment": run.trace.done,
        "layer": made["layers"],
        "head": made["heads"],
        "slot": int(run.trace.memory.shape[1]),
        "colour": colours(run),
    }


def defaults(run: Run) -> dict:
    """Where a visitor begins: at the segment that writes."""
    beats = run.measures.beats
    return {
        "segment": next((beat.segment + 1 for beat in beats if beat.kind == "write"), 1),
        "colour": (*colours(run), None)[0],
    }


def colours(run: Run) -> list[str]:
    """What tokens can be coloured by in this run."""
    loss = np.isfinite(run.measures.loss).any()
    gain = loss and session.reset_of(run.id) is not None
    return [
        *(["write", "read"] if run.measures.shares else []),
        *(["loss"] if loss else []),
        *(["gain"] if gain else []),
    ]


def show(run: Run, name: str, control: str, wanted: dict, defaults: dict) -> None:
    """Draw the surface; stepping in it never comes back here.

    name, control: what the sidebar chose, for the address. wanted, defaults: the view to open with, and the one
    that the address leaves out.
    """
    first = session.library().names()[:1]
    fixed = {"trace": None if [name] == first else name, "control": None if control == "trained" else control}
    prefix = st.get_option("server.baseUrlPath").strip("/")
    _SURFACE(
        key="surface",
        data={
            "base": f"/{prefix}{PREFIX}" if prefix else PREFIX,
            "run": run.id,
            "name": name,
            "fixed": {key: value for key, value in fixed.items() if value},
            "fields": list(limits(run)),
            "view": wanted,
            "defaults": defaults,
            "colours": colours(run),
            "keys": keys.table(),
        },
    )
