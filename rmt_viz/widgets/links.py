"""Ways from a page to a run on Watch. The page itself is handed in: see `rmt_viz.pages.watch`."""

import streamlit as st


def parameters(trace: str, *, segment: int | None = None, colour: str | None = None) -> dict[str, str]:
    """What the address of Watch says. segment counts from 1."""
    given = {"trace": trace, "segment": segment, "colour": colour}
    return {name: str(value) for name, value in given.items() if value is not None}


def to_run(watch, trace: str, label: str, **look) -> None:
    """A link to a run. watch: the page as Streamlit lists it. look: see `st.page_link`."""
    st.page_link(watch, label=label, query_params=parameters(trace), **look)


def open_run(watch, trace: str, **view) -> None:
    """Leave the page for a run."""
    st.switch_page(watch, query_params=parameters(trace, **view))
