"""Tour: how does it work? Seven steps for teaching."""

import streamlit as st

from rmt_viz.components import tour


def page() -> None:
    """Seven steps over recorded runs, with a guess before each picture."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader("Seven steps through a memory", anchor=False)
        st.caption("Guess first, then look. Each step is a link to share, and opens in Watch for a closer look.")
    tour.show()
