"""Watch: what happens in this segment?"""

import streamlit as st

from rmt_viz import view
from rmt_viz.components import surface
from rmt_viz.controls import pick_run


def page() -> None:
    """The stepping surface over the run that the sidebar names."""
    picked = pick_run()
    if picked is None:
        return
    run, name, control = picked
    defaults = surface.defaults(run)
    surface.show(run, name, control, view.read(st.query_params, surface.limits(run), defaults), defaults)
