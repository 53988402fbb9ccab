"""How far a visitor's job is, with the button that ends it, and what went wrong with it."""

from collections.abc import Callable

import streamlit as st

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.widgets.errors import say
from rmt_viz.work.queue import Job

OPENING = "Opening the checkpoint"
SEGMENTS = "Segment {done:,} of {total:,}"
COUNTED = "{done:,} of {total:,} segments read"
STEPS = "{done:,} of at most {total:,} steps"


def follow(
    slot: str, opening: str = OPENING, step: str = SEGMENTS, *, size: Callable[[], int] = int, forget: bool = True
) -> None:
    """Say of the visitor's job of a slot how far it is, or why it failed.

    opening: what is done before the first step; step: each one. The page runs again when the job ends, and whenever
    size(), which says how much of it there is to draw, has grown. forget: one that failed or was stopped is gone.
    """
    job = session.current(slot)
    if job and job.state == "failed":
        say(job.error)
        if forget:
            session.stop(slot)
    elif job and job.live:
        _waiting(slot, opening, step, size, size(), forget)


@st.fragment(run_every="400ms")
def _waiting(slot: str, opening: str, step: str, size: Callable[[], int], drawn: int, forget: bool) -> None:
    job = session.current(slot)
    if job is None or not job.live or size() != drawn:
        st.rerun()
    if progress(job, opening, f"{slot} cancel", step):
        job.stop.set()
        if forget:
            session.stop(slot)
            st.rerun()


def progress(job: Job, opening: str, key: str, step: str = SEGMENTS) -> bool:
    """Draw it; whether the visitor asks it to stop."""
    told = waiting(job) if job.state == "waiting" else opening
    told = step.format(done=job.done, total=job.total) if job.total else told
    st.progress(job.done / max(job.total, 1), told)
    return st.button("Cancel", key=key)


def waiting(job: Job) -> str:
    """What a job waits for, in a few words."""
    before = job.place()
    return f"Waiting, number {before} in the queue" if before else "Waiting for its turn"


def offer(slot: str, label: str, start, step: str) -> None:
    """A button that starts a job, then its progress and cancel, then what was wrong."""
    job = session.current(slot)
    follow(slot, step=step, forget=False)
    if job and job.live:
        return
    if st.button(label, icon=":material/search:", key=f"{slot} start"):
        try:
            start()
        except InputError as error:
            say(str(error))
            return
        st.rerun()
