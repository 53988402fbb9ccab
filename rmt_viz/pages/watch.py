"""Watch: what happens in this segment?"""

import streamlit as st

from rmt_viz.components import surface
from rmt_viz.forms.pick_run import pick_run


def page() -> None:
    """The stepping surface over the run chosen in the sidebar."""
    picked = pick_run()
    if picked is not None:
        surface.show(*picked)


def listed():
    """The Watch page as Streamlit's list of pages has it, for the frame and for links."""
    return st.Page(page, title="Watch", url_path="watch", default=True)
