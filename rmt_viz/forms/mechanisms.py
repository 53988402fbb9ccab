"""Form of Mechanisms: the visitor's own text, read with every bundled language model."""

import streamlit as st

from rmt.errors import InputError
from rmt_viz import requests, session
from rmt_viz.forms import loss
from rmt_viz.shelf.results import Mechanism
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.progress import follow


def rows() -> tuple[Mechanism, ...]:
    """The rows made of the visitor's own text; none before it has been read."""
    job = session.current("mechanisms")
    return job.result if job and job.state == "done" else ()


def own_text(bundled: tuple[Mechanism, ...]) -> None:
    """The form that reads a text with one mechanism after another, by the checkpoints that are here."""
    here = {name: config.get("cell", {}).get("kind") for name, config in session.checkpoints().items()}
    models = [row.checkpoint for row in bundled if here.get(row.checkpoint) == row.mechanism]
    if len(models) < 2:
        return
    with st.expander("Your own text"), st.form("mechanisms form", border=False):
        text = st.text_area("Text, of two segments or more", loss.TEXT, height=150, key="mechanisms text")
        if st.form_submit_button(f"Read it with {len(models)} mechanisms", type="primary"):
            try:
                requests.start_mechanisms(models, text)
            except InputError as error:
                say(str(error))
    follow("mechanisms", "Opening the checkpoints", "Mechanism {done:,} of {total:,}")
