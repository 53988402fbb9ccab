"""Capacity: how much fits?"""

import streamlit as st

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.figures import capacity as figures
from rmt_viz.figures.whose_slot import whose_slot
from rmt_viz.findings import capacity as findings
from rmt_viz.findings import whose_slot as holders
from rmt_viz.forms import capacity as form
from rmt_viz.widgets import chart
from rmt_viz.widgets.markdown import plain

HELD = (
    "Bands: 95% intervals over documents, corrected for guessing among six places. Everybody is asked for in a segment "
    "of its own, so that all that is answered has crossed a boundary. Slots are not all that differs between memories: "
    "each has a training of its own."
)
WHOSE = (
    "One slot of a text’s memory is replaced by that of another text, and everybody is asked for. Of the answers that "
    "the two texts give otherwise: the share that came with the slot. The last two rows are the controls."
)


def page() -> None:
    """What memories of several sizes hold, then one of them at work."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader("How much fits?", anchor=False)
        st.caption(
            "Each person is told of once, in any prose; then everybody is asked for. A memory has so many slots."
        )
    with st.container(gap="small"):
        _counted()
        form.live()
        _whose()


def _counted() -> None:
    try:
        rows = session.result("capacity").rows
    except InputError as error:
        st.info(plain(str(error)))
        return
    lengths = sorted({row.segments for row in rows})
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="choices"):
        segments = st.segmented_control("Segments of text", lengths, default=lengths[0], required=True, key="segments",
                                        bind="query-params")  # fmt: skip
        controls = st.toggle("Controls", True, key="controls", bind="query-params")
    curves = findings.curves(rows if controls else [row for row in rows if row.control == "none"], segments)
    left, right = st.columns(2, gap="medium")
    with left:
        finding = findings.finding(curves)
        chart.show(figures.held(curves, finding, theme=chart.theme()), name="held", caption=HELD,
                    alt=f"Facts held against facts told. {finding}.", table=findings.table(curves))  # fmt: skip
    with right:
        finding = findings.order(curves)
        chart.show(figures.order(curves, finding, theme=chart.theme()), name="order", alt=f"By order. {finding}.",
                    table=findings.order_table(curves), caption="Where the most people are told of.")  # fmt: skip


def _whose() -> None:
    st.markdown("**Whose slot is whose?**")
    try:
        rows = session.result("whose_slot").rows
    except InputError as error:
        st.info(plain(str(error)))
        return
    names = list(dict.fromkeys(row.checkpoint for row in rows))
    name = st.segmented_control("Memory of", names, default=names[0], required=True, key="whose", bind="query-params")
    lines = holders.of_checkpoint(rows, name)
    finding = holders.finding(lines)
    chart.show(whose_slot(lines, finding, theme=chart.theme()), name="whose-slot", caption=WHOSE,
                alt=f"Whose answers come with which slot. {finding}.", table=holders.table(lines))  # fmt: skip
