"""Ways from a page to a run on Watch."""

import streamlit as st


def watch_page():
    from rmt_viz.pages import watch

    return st.Page(watch.page, title="Watch", url_path="watch", default=True)


def parameters(trace: str, *, segment: int | None = None, colour: str | None = None) -> dict[str, str]:
    """What the address of Watch says. segment counts from 1."""
    given = {"trace": trace, "segment": segment, "colour": colour}
    return {name: str(value) for name, value in given.items() if value is not None}


def open_watch(trace: str, **view) -> None:
    """Leave the page for a run."""
    st.switch_page(watch_page(), query_params=parameters(trace, **view))
