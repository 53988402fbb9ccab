"""Forms of Gallery: which rows to show, and the recording of the one that is opened."""

import streamlit as st

from rmt.tasks import title
from rmt_viz import requests, session
from rmt_viz.findings import gallery as findings
from rmt_viz.shelf.results import Shown
from rmt_viz.widgets.errors import saying
from rmt_viz.widgets.progress import follow


def choose(rows: tuple[Shown, ...]) -> list[Shown]:
    """The rows that the visitor asks for, failures first."""
    names = list(dict.fromkeys(row.checkpoint for row in rows))
    special = [name for name in findings.SPECIAL if any(name in row.special for row in rows)]
    with st.container(horizontal=True, gap="medium"):
        tasks = st.pills("Task", names, selection_mode="multi", key="gallery task", format_func=_named)
        tags = st.pills("What is special", special, selection_mode="multi", key="gallery special")
        right = st.pills("Answer", findings.RIGHT, key="gallery right")
    return findings.chosen(rows, tasks, tags, right)


def _named(checkpoint: str) -> str:
    return title(checkpoint.removesuffix("-8"))


def opened(rows: tuple[Shown, ...], clicked: str | None) -> tuple[str, Shown] | None:
    """The run of the row that was clicked or that the address names, once it is recorded, with its row; else None."""
    wanted = clicked
    if session.arrived("gallery"):
        wanted = wanted or st.query_params.get("example")
    row = next((row for row in rows if row.id == wanted), None)
    if row:
        st.query_params.pop("example", None)
        if id := requests.shown(row):
            return id, row
        with saying():
            requests.start_shown(row)
    job = session.current("run")
    row = job and next((row for row in rows if row.id == job.about), None)
    if not row:
        return None
    follow("run")
    id = session.take_finished("run")
    return (id, row) if id else None
