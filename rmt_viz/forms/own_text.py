"""The dialog for a visitor's own text: write it, choose a checkpoint, run, and open the recorded run."""

import streamlit as st

from rmt.tasks import TASKS, whole_title
from rmt_viz import requests, session
from rmt_viz.shelf import checkpoints
from rmt_viz.shelf.example_texts import LEAST_LENGTH, example, hint
from rmt_viz.shelf.library import FIRST
from rmt_viz.widgets.errors import say, saying
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import progress
from rmt_viz.widgets.text_file import typed_or_uploaded

LENGTHS = (LEAST_LENGTH, 24, 32, 48, 64, 96, 128, 256, 512)


@st.dialog("Your own text", width="medium", on_dismiss=lambda: session.stop("run"))
def own_text() -> None:
    """Draw the dialog; when the run is done, its trace is shown on the page."""
    configs = session.checkpoints()
    if not configs:
        say("There is no checkpoint in assets/checkpoints; train one first.")
        return
    first = [*configs].index(FIRST) if FIRST in configs else 0
    name = st.selectbox("Checkpoint", configs, first, format_func=whole_title, key="own checkpoint")
    config = configs[name]
    _what_it_knows(config)
    text = st.text_area(
        "Text", example(config.get("task"), config["segment_length"]), height=200, key=f"own text {name}"
    )
    longest = config["segment_length"]
    lengths = sorted({n for n in LENGTHS if n < longest} | {longest})
    length = st.select_slider("Tokens a segment", lengths, longest, key=f"own length {name}")
    lacking = checkpoints.lacks(config)
    if lacking:
        st.caption(plain(lacking))
    with saying():
        text = typed_or_uploaded(text, f"own file {name}")
        if st.button("Run", type="primary", key="own run", disabled=bool(lacking)):
            requests.start_run(text, name, length)
    _progress()


def _what_it_knows(config: dict) -> None:
    if not config.get("classes"):
        st.caption(plain("It predicts each next token of any English text, and answers no questions."))
        return
    task = config.get("task")
    parts = [hint(task), TASKS[task].knows] if task in TASKS else []
    parts += ["Around it stands any English text.", f"The answer is always one of {', '.join(config['classes'])}."]
    st.caption(plain(" ".join(filter(None, parts))))


@st.fragment(run_every="400ms")
def _progress() -> None:
    job = session.current("run")
    if job is None:
        return
    if job.state == "failed":
        session.stop("run")
        say(job.error)
        return
    if session.take_finished_run():
        st.rerun()
    if progress(job, "Opening the checkpoint", "own cancel"):
        session.stop("run")
        st.rerun(scope="fragment")
