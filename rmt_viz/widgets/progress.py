"""Progress of a visitor's job: how far it is, a button that cancels it, and its error."""

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
    kind: str, opening: str = OPENING, step: str = SEGMENTS, *, size: Callable[[], int] = int, forget: bool = True
) -> None:
    """Show the progress of the visitor's job of this kind, or why it failed.

    opening: the text before the first step; step: the text of each step. The page runs again when the job ends, and
    whenever size(), the amount of results there is to draw, has grown. forget: a failed or stopped job is removed.
    """
    job = session.current(kind)
    if job and job.state == "failed":
        say(job.error)
        if forget:
            session.stop(kind)
    elif job and job.live:
        _waiting(kind, opening, step, size, size(), forget)


@st.fragment(run_every="400ms")
def _waiting(kind: str, opening: str, step: str, size: Callable[[], int], drawn: int, forget: bool) -> None:
    job = session.current(kind)
    if job is None or not job.live or size() != drawn:
        st.rerun()
    if progress(job, opening, f"{kind} cancel", step):
        job.stop.set()
        if forget:
            session.stop(kind)
            st.rerun()


def progress(job: Job, opening: str, key: str, step: str = SEGMENTS) -> bool:
    """Draw a progress bar and a button that cancels. Returns whether the button was pressed."""
    text = waiting(job) if job.state == "waiting" else opening
    text = step.format(done=job.done, total=job.total) if job.total else text
    st.progress(job.done / max(job.total, 1), text)
    return st.button("Cancel", key=key)


def waiting(job: Job) -> str:
    """What a job waits for, in a few words."""
    before = job.place()
    return f"Waiting, number {before} in the queue" if before else "Waiting for its turn"


def offer(kind: str, label: str, start, step: str) -> None:
    """A button that starts a job; while the job runs its progress and cancel button; then its error, if it failed."""
    job = session.current(kind)
    follow(kind, step=step, forget=False)
    if job and job.live:
        return
    if st.button(label, icon=":material/search:", key=f"{kind} start"):
        try:
            start()
        except InputError as error:
            say(str(error))
            return
        st.rerun()
