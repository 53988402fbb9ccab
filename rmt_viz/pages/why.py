"""Why: which segments, slots and tokens made this answer?"""

import streamlit as st

from rmt_viz import requests
from rmt_viz.components import credit
from rmt_viz.figures import why as figures
from rmt_viz.findings import why as findings
from rmt_viz.forms.pick_run import pick_run
from rmt_viz.shelf import menu
from rmt_viz.widgets import chart, progress
from rmt_viz.widgets.markdown import plain

TAKES = (
    "By segment and slot: what the output loses without them. By token: integrated gradients, back-propagated through "
    "every segment’s memory, which takes some seconds."
)


def page() -> None:
    """The parts of a run's output: by segment, by token, by slot, and memory against the local text."""
    picked = pick_run(permalink=True)
    if picked is None:
        return
    run, explanation = picked[0], requests.why(picked[0])
    with st.container(key="title", gap="xxsmall"):
        st.subheader(menu.ALL["why"].question, anchor=False)
        st.caption("An attention map shows where a model looked; here is what its answer depends on.")
    if not explanation:
        with st.container(gap="small"):
            st.caption(plain(TAKES))
            progress.offer("why", "Explain this run", lambda: requests.start_why(run), progress.STEPS)
        return
    with st.container(gap="small"):
        _segments(run, explanation, findings.why(explanation, run))
        credit.show(run, explanation["tokens"])
        _steps(run, explanation)
        left, right = st.columns(2, gap="medium")
        with left:
            _local(run, explanation)
        with right:
            _slots(run, explanation)


def _segments(run, explanation: dict, finding: str) -> None:
    names = [*range(1, len(explanation["segments"])), "alone"]
    x = "segment passed over; “alone”: the last one, read with reset memory"
    figure = figures.parts(explanation["segments"], names, finding, x=x, y="part of the logit", theme=chart.theme(),
                           width=1000, height=260)  # fmt: skip
    chart.show(figure, name="why-segments", run=run.id, alt=f"Parts of the output by segment. {finding}.",
                table=findings.why_table(explanation),
                caption="What the logit loses when memory passes over a segment as if it were not there.")  # fmt: skip


def _steps(run, explanation: dict) -> None:
    caption = (
        f"Integrated gradients from the mean embedding, {explanation['steps']:,} steps; the parts miss the output’s "
        f"change by {explanation['gap']:.2%} (completeness gap). Shown are the segments whose tokens count most."
    )
    chart.numbers(name="why-tokens", run=run.id, table=findings.tokens_table(explanation, run), caption=caption)


def _local(run, explanation: dict) -> None:
    finding = findings.local(explanation)
    if explanation["classes"]:
        figure = figures.local_and_memory(explanation, finding, theme=chart.theme())
    else:
        names = range(1, len(explanation["memory"]) + 1)
        figure = figures.parts(explanation["memory"], names, finding, x="token of the last segment",
                               y="nats from memory", theme=chart.theme(), width=430, height=330)  # fmt: skip
    chart.show(figure, name="why-local", run=run.id, alt=f"Memory against local text. {finding}.",
                table=findings.local_table(explanation),
                caption=f"The last segment with memory at {findings.base(explanation)}, and what its own "
                "adds.")  # fmt: skip


def _slots(run, explanation: dict) -> None:
    finding, names = findings.by_slot(explanation), [f"{i + 1}" for i in range(len(explanation["slots"]))]
    figure = figures.parts(explanation["slots"], names, finding, x="slot, before the last segment",
                           y="part of the logit", theme=chart.theme(), width=430, height=330)  # fmt: skip
    chart.show(figure, name="why-slots", run=run.id, alt=f"Parts of the output by slot. {finding}.",
                table=findings.by_slot_table(explanation),
                caption=f"How far the logit falls when the slot gets {findings.base(explanation)}.")  # fmt: skip
