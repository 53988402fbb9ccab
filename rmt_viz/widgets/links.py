"""Links from a page to a run on another page, which is passed in as Streamlit lists it: see `rmt_viz.pages.watch`."""

import streamlit as st

from rmt_viz.shelf import menu


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


def to_view(path: str, label: str, **fields) -> None:
    """Draw a link to a view of another page, with the fields of its address; those that are None are left out.

    Streamlit knows a page by its path, so what is listed here stands for the page of the menu.
    """
    page = st.Page(lambda: None, title=menu.ALL[path].name, url_path=path)
    given = {name.rstrip("_"): str(value) for name, value in fields.items() if value is not None}
    st.page_link(page, label=label, query_params=given, icon=":material/arrow_forward:")
