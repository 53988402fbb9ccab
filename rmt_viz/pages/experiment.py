"""Experiment, the first page: what crosses from segment to segment, and is it the cause of the answer?"""

import streamlit as st

from rmt_viz.components import experiment
from rmt_viz.pages import watch
from rmt_viz.server import address
from rmt_viz.shelf import menu


def page() -> None:
    """The experiment; an address that names a run, as those of Watch once did here, opens it there."""
    if address.names_a_run(st.query_params):
        st.switch_page(watch.listed(), query_params=dict(st.query_params))
    experiment.show()


def listed():
    """The page as Streamlit lists it, for the frame and for links to it."""
    return st.Page(page, title=menu.FIRST.name, url_path="first", default=True)
