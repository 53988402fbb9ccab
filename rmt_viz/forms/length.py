"""Forms of Length: a point of the figure with its recorded run, and a checkpoint scored by the visitor."""

import streamlit as st

from rmt.errors import InputError
from rmt.tasks import TASKS
from rmt_viz import requests, session
from rmt_viz.findings import babilong, length
from rmt_viz.findings.words import segments
from rmt_viz.shelf.results import Score
from rmt_viz.widgets import links
from rmt_viz.widgets.errors import say, saying
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import follow
from rmt_viz.work.visitors_checkpoint import CheckpointChoice

OWN = "A folder of mine …"
LENGTHS = (1, 2, 3, 5, 7, 10, 14, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
FIRST = (1, 7, 14)
SAMPLES = (20, 50, 100, 200, 500, 1000)
LONGEST_NAME = 200
POINT, CHART, CURVES = "length point", "chart length", "length curves"


def pick() -> None:
    """Select in the list the point that was clicked in the figure."""
    points = session.held(CHART).selection.points
    shown = {
        (i, j): score for i, curve in enumerate(session.held(CURVES, []))
        for j, score in enumerate(curve.scores)
    }  # fmt: skip
    at = tuple(points[0].get("customdata") or ()) if points else ()
    if at in shown:
        session.hold(POINT, shown[at])


def point(curves: list[length.Curve], watch) -> None:
    """A score in words, with a link to a recorded run of about its length on `watch`, or a button that records one."""
    session.hold(CURVES, curves)
    options = [score for curve in curves for score in curve.scores]
    if not options:
        return
    with st.container(border=True, gap="small"):
        st.markdown("**What happens at a length**")
        session.begin(POINT, max(options, key=lambda score: (score.tokens, score.trained_on)), options)
        score = st.selectbox("Click a point above, or choose one", options, format_func=length.label, key=POINT)
        st.markdown(plain(length.in_words(score)))
        _run_of(score, watch)


def _run_of(score: Score, watch) -> None:
    runs = session.recorded()
    near = length.nearest(score, runs)
    if near:
        n = next(n for name, *_, n in runs if name == near)
        label = f"Open the recorded run of {segments(n)}"
        links.to_run(watch, near, label, icon=":material/visibility:")
    if score.checkpoint not in session.every_checkpoint():
        if not near:
            st.caption(plain(f"No run near this length is bundled, and its checkpoint {score.checkpoint} is not here."))
        return
    if st.button(f"Record a run of {segments(score.segments)}", key="length record"):
        with saying():
            requests.start_sample(score.checkpoint, score.segments)
    follow("run")


def own() -> None:
    """The form that scores a checkpoint in the background."""
    with st.container(border=True, gap="small"):
        st.markdown("**Score a checkpoint yourself**")
        shipped = [name for name, config in session.every_checkpoint().items() if config.get("task") in TASKS]
        with st.form("score form", border=False):
            left, right = st.columns(2)
            name = left.selectbox("Checkpoint", [*shipped, OWN], key="score checkpoint")
            folder = right.text_input(
                "Or the folder of yours", max_chars=LONGEST_NAME, key="score folder", placeholder="runs/mine"
            )
            at = st.multiselect("Lengths in segments", LENGTHS, FIRST, key="score lengths")
            left, right = st.columns(2, vertical_alignment="bottom")
            samples = left.select_slider("Samples a length", SAMPLES, 100, key="score samples")
            reset = right.checkbox("Also with memory reset", True, key="score reset")
            if st.form_submit_button("Score", type="primary"):
                _start(name, folder.strip(), sorted(at), samples, reset)
        follow("score", step="{done:,} of {total:,} tokens read", size=lambda: len(session.own_scores()))


def _start(name: str, folder: str, at: list[int], samples: int, reset: bool) -> None:
    try:
        if not at:
            raise InputError("Choose one length at least.")
        if name == OWN and not folder:
            raise InputError("Give the folder of your checkpoint.")
        wanted = CheckpointChoice(folder) if folder else CheckpointChoice(name, session.CHECKPOINTS / name)
        requests.start_scoring(wanted, at, samples, ("none", "reset") if reset else ("none",))
    except InputError as error:
        say(str(error))


def benchmark() -> None:
    """BABILong's table of one task, where there are scores."""
    try:
        results = session.result("babilong")
    except InputError:
        return
    names = babilong.tasks(results)
    task = st.segmented_control("BABILong", names, format_func=babilong.TASKS.get, key="babilong", default=names[0],
                                required=True, bind="query-params")  # fmt: skip
    st.markdown(f"**{babilong.finding(results, task)}.**")
    st.table(babilong.table(results, task))
    st.caption(babilong.NOTE)
