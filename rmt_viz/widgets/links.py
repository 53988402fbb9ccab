"""Links from a page to a run on another page, which is passed in as Streamlit lists it: see `rmt_viz.pages.watch`."""

import streamlit as st


def parameters(trace: str, *, segment: int | None = None, colour: str | None = None) -> dict[str, str]:
    """The query parameters of Watch for a view. segment counts from 1."""
    given = {"trace": trace, "segment": segment, "colour": colour}
    return {name: str(value) for name, value in given.items() if value is not None}


def to_run(page, trace: str, label: str, **look) -> None:
    """Draw a link to a run. page: the page as Streamlit lists it. look: options of `st.page_link`."""
    st.page_link(page, label=label, query_params=parameters(trace), **look)


def open_run(watch, trace: str, **view) -> None:
    """Leave the current page and open a run on Watch."""
    st.switch_page(watch, query_params=parameters(trace, **view))
