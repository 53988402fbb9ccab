"""Why: which segments, slots and tokens made this answer?"""

import streamlit as st

from rmt_viz import requests
from rmt_viz.components import credit
from rmt_viz.figures import why as figures
from rmt_viz.findings import why as findings
from rmt_viz.forms.pick_run import pick_run
from rmt_viz.widgets import chart, progress
from rmt_viz.widgets.markdown import plain

TAKES = (
    "By segment and slot: what the output loses without them. By token: integrated gradients, back-propagated through "
    "every segment’s memory, which takes some seconds."
)


def page() -> None:
    """The parts of a run's output: by segment, by token, by slot, and memory against the local text."""
    picked = pick_run()
    if picked is None:
        return
    run, found = picked[0], requests.why(picked[0])
    with st.container(key="title", gap="xxsmall"):
        st.subheader("Which segments and tokens made this answer?", anchor=False)
        st.caption("An attention map shows where a model looked; here is what its answer is owed to.")
    if not found:
        with st.container(gap="small"):
            st.caption(plain(TAKES))
            progress.offer("why", "Explain this run", lambda: requests.start_why(run), progress.STEPS)
        return
    with st.container(gap="small"):
        _segments(found, findings.why(found, run))
        credit.show(run, found["tokens"])
        _steps(run, found)
        left, right = st.columns(2, gap="medium")
        with left:
            _local(found)
        with right:
            _slots(found)


def _segments(found: dict, told: str) -> None:
    names = [*range(1, len(found["segments"])), "alone"]
    x = "segment passed over; “alone”: the last one, read with reset memory"
    figure = figures.parts(found["segments"], names, told, x=x, y="part of the logit", theme=chart.theme(),
                           width=1000, height=260)  # fmt: skip
    chart.show(figure, name="why-segments", alt=f"Parts of the output by segment. {told}.",
                table=findings.why_table(found),
                caption="What the logit loses when memory passes over a segment as if it were not there.")  # fmt: skip


def _steps(run, found: dict) -> None:
    told = (
        f"Integrated gradients from the mean embedding, {found['steps']:,} steps; the parts miss the output’s change "
        f"by {found['gap']:.2%} (completeness gap). Shown are the segments whose tokens count most."
    )
    chart.numbers(name="why-tokens", table=findings.tokens_table(found, run), caption=told)


def _local(found: dict) -> None:
    told = findings.local(found)
    if found["classes"]:
        figure = figures.local_and_memory(found, told, theme=chart.theme())
    else:
        names = range(1, len(found["memory"]) + 1)
        figure = figures.parts(found["memory"], names, told, x="token of the last segment", y="nats from memory",
                               theme=chart.theme(), width=430, height=330)  # fmt: skip
    chart.show(figure, name="why-local", alt=f"Memory against local text. {told}.", table=findings.local_table(found),
                caption=f"The last segment with memory at {findings.base(found)}, and what its own adds.")  # fmt: skip


def _slots(found: dict) -> None:
    told, names = findings.by_slot(found), [f"{i + 1}" for i in range(len(found["slots"]))]
    figure = figures.parts(found["slots"], names, told, x="slot, before the last segment", y="part of the logit",
                           theme=chart.theme(), width=430, height=330)  # fmt: skip
    chart.show(figure, name="why-slots", alt=f"Parts of the output by slot. {told}.",
                table=findings.by_slot_table(found),
                caption=f"How far the logit falls when the slot gets {findings.base(found)}.")  # fmt: skip
