"""Mechanisms: how do other mechanisms carry the past?"""

import streamlit as st

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.figures import mechanisms as figures
from rmt_viz.findings import mechanisms
from rmt_viz.forms import mechanisms as form
from rmt_viz.forms import recall
from rmt_viz.widgets import chart
from rmt_viz.widgets.markdown import plain


def page() -> None:
    """One mechanism beside RMT, then all of them: what crosses a boundary, what it gives back, costs and saves."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader("How do others carry the past?", anchor=False)
        st.caption("The same text in the same segments; what differs is what one segment leaves to the next.")
    try:
        results = session.result("mechanisms")
    except InputError as error:
        st.info(plain(str(error)))
        return
    rows, least = mechanisms.ordered(results.rows), mechanisms.alone(results.rows)
    with st.container(gap="small"):
        pair = mechanisms.pair(rows, _choose(rows))
        left, right = st.columns(2, gap="medium")
        with left:
            _sight(pair)
        with right:
            told = mechanisms.side_by_side(pair, least)
            columns = {plain(head): list(map(plain, cells)) for head, cells in told.items()}
            st.table(columns, border="horizontal", hide_index=True, alt="What the two mechanisms carry and cost.")
            st.caption(plain(mechanisms.counted(results)))
        recall.experiments(pair[-1].mechanism)
        left, right = st.columns(2, gap="medium")
        with left:
            _sizes(rows, pair)
        with right:
            _weight(rows)
            _text(results, rows)
        with st.expander("All mechanisms in numbers"):
            columns = {head: list(map(plain, cells)) for head, cells in mechanisms.table(rows, least).items()}
            st.table(columns, border="horizontal", hide_index=True, alt="What each mechanism carries and costs.")
        form.own_text(results.rows)


def _choose(rows: list):
    """The mechanism that is to stand beside RMT: a family, and one of its mechanisms."""
    families = mechanisms.families(rows)
    first = mechanisms.start(families)
    family = st.segmented_control("Family", list(families), default=first, key="family", required=True,
                                  label_visibility="collapsed", bind="query-params")  # fmt: skip
    of = {mechanisms.name(row): row for row in families[family]}
    name = st.pills("Mechanism", list(of), default=next(iter(of)), key=f"{family}: mechanism", required=True,
                    label_visibility="collapsed", bind="query-params")  # fmt: skip
    st.caption(mechanisms.FAMILIES.get(family, ""))
    return of[name]


def _sight(rows: list) -> None:
    finding = mechanisms.spread(rows)
    figure = figures.sight(rows, finding, segments=mechanisms.SEGMENTS, theme=chart.theme())
    chart.show(figure, name="who-sees-whom", alt=f"Who sees whom. {finding}.", table=mechanisms.sight_table(rows),
               caption=mechanisms.SIGHT)  # fmt: skip


def _sizes(rows: list, shown: list) -> None:
    finding = mechanisms.sizes_finding(rows)
    figure = figures.sizes(rows, [row.mechanism for row in shown], finding, theme=chart.theme())
    chart.show(figure, name="sizes", alt=f"How many numbers cross a boundary in each mechanism. {finding}.",
               table=mechanisms.sizes_table(rows), caption=mechanisms.SIZES)  # fmt: skip


def _weight(rows: list) -> None:
    try:
        points = mechanisms.points(rows, session.result("lm").rows)
    except InputError as error:
        st.info(plain(str(error)))
        return
    finding = mechanisms.bought(points)
    chart.show(figures.weight(points, finding, theme=chart.theme()), name="numbers-carried",
                alt=f"Loss against the numbers carried. {finding}.", table=mechanisms.point_table(points),
                caption=mechanisms.WEIGHED)  # fmt: skip


def _text(results, rows: list) -> None:
    own = form.rows()
    rows = [row for row in mechanisms.ordered(own) if row.mechanism in {shown.mechanism for shown in rows}] or rows
    if not any(row.loss for row in rows):
        st.info(
            "No trained model of each mechanism is bundled yet, so there is no loss to show on one text. A text of "
            "your own can be read below by those there are."
        )
        return
    of = st.segmented_control("Draw", (mechanisms.SAVED, mechanisms.LOSS), default=mechanisms.SAVED, key="drawn",
                              required=True, label_visibility="collapsed", bind="query-params")  # fmt: skip
    lines = mechanisms.courses(rows, of)
    finding = mechanisms.course_finding(lines, of)
    words = [] if own else mechanisms.beginnings(results, len(lines[0].y))
    chart.show(figures.course(lines, of, finding, words=words, theme=chart.theme()), name="one-text",
                alt=f"One text segment by segment. {finding}.", table=mechanisms.course_table(lines),
                caption="Your text." if own else mechanisms.text_of(results))  # fmt: skip
