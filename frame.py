"""The script behind every page: the list of pages and the sidebar, then the page itself.

It stands beside app.py because Streamlit takes a pages/ folder next to its script for pages of the old kind.
"""

import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE
from rmt_viz.pages import (
    attention,
    capacity,
    compare,
    cost,
    experiment,
    facts,
    length,
    loss,
    mechanisms,
    memory,
    models,
    tour,
    train,
    watch,
    what_if,
    why,
)

PAGES = {
    "See": [
        experiment.listed(),
        watch.listed(),
        st.Page(tour.page, title="Tour", url_path="tour"),
        st.Page(attention.page, title="Attention", url_path="attention"),
        st.Page(memory.page, title="Memory", url_path="memory"),
        st.Page(compare.page, title="Compare", url_path="compare"),
    ],
    "Understand": [
        st.Page(facts.page, title="Facts", url_path="facts"),
        st.Page(what_if.page, title="What if", url_path="what-if"),
        st.Page(why.page, title="Why", url_path="why"),
    ],
    "Measure": [
        st.Page(loss.page, title="Loss", url_path="loss"),
        st.Page(capacity.page, title="Capacity", url_path="capacity"),
        st.Page(length.page, title="Length", url_path="length"),
        st.Page(cost.page, title="Cost", url_path="cost"),
        st.Page(mechanisms.page, title="Mechanisms", url_path="mechanisms"),
    ],
    "Make": [
        st.Page(models.page, title="Models", url_path="models"),
        st.Page(train.page, title="Train", url_path="train"),
    ],
}
STYLES = (HERE / "frame.css", bundle.HERE / "facts.css")

page = st.navigation(PAGES, position="hidden")
title = f"{page.title} · RMT Viz"
st.set_page_config(page_title=title, page_icon="🧠", layout="wide", initial_sidebar_state="auto")
for style in STYLES:
    st.html(style)
with st.sidebar:
    for section, pages in PAGES.items():
        st.caption(section)
        for listed in pages:
            st.page_link(listed)
page.run()
