"""Watch: what happens in this segment?"""

import streamlit as st

from rmt_viz.components import surface
from rmt_viz.forms.pick_run import pick_run
from rmt_viz.shelf import menu


def page() -> None:
    """The stepping surface over the run that the sidebar names."""
    picked = pick_run()
    if picked is not None:
        surface.show(*picked)


def listed():
    """The page as Streamlit lists it, for the frame and for links to it."""
    return st.Page(page, title=menu.ALL["watch"].label, url_path="watch")
