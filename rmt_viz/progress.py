"""How far a job is, and the button that ends it."""

import streamlit as st

from rmt_viz.jobs import Job


def progress(job: Job, opening: str, key: str, step: str = "Segment {done:,} of {total:,}") -> bool:
    """Draw it; whether the visitor asks it to stop. opening: what is done before the first step; step: each one."""
    told = "Waiting for another run to end" if job.state == "waiting" else opening
    told = step.format(done=job.done, total=job.total) if job.total else told
    st.progress(job.done / max(job.total, 1), told)
    return st.button("Cancel", key=key)
