"""Length: how far does it hold?"""

import streamlit as st

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.figures.length import length
from rmt_viz.findings import length as findings
from rmt_viz.forms import length as form
from rmt_viz.pages import watch
from rmt_viz.widgets import chart, links
from rmt_viz.widgets.markdown import plain

PAPER = """
**In the paper** (AAAI 2024, Figures 4 and 5), BERT with 10 memory tokens and 499 tokens of text a segment learns from 1
segment up, each stage from the best model of the last. Figure 4 tests the models of stages 1 to 8 at 1 to 15 segments:
those trained on five or more hold at twice that length. Figure 5 takes the model trained on seven segments to 16, 32,
64, 128, 256, 1,024, 2,048 and 4,096 segments; 4,096 × 499 are 2,043,904 tokens. There the text around the facts is one
document, repeated; here State of the Union addresses follow one another, without the sentences that name a person or a
place of the stories. In the same addresses with every sentence left in, the model of the longest texts (detect-long)
is right for 80 of 100 at 4 segments and for 22 of 100 at 64.
"""
BY = {"segments": "Segments", "tokens": "Tokens"}


def page() -> None:
    """Accuracy against length; below it one point in words, BABILong, and a form that scores a checkpoint."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader("How far does it hold?", anchor=False)
        st.caption("The share of right answers about a fact told somewhere in a filtered text of the length below it.")
    if session.take_finished_run():
        links.open_run(watch.listed(), session.newest_run())
    with st.container(gap="small"):
        _body(_rows())


def _body(rows: tuple) -> None:
    view, task, by, log, controls = _choose(rows)
    own = session.own_scores()
    mine = findings.yours(own if view == "far" else [row for row in own if row.task == task])
    curves = [*findings.curves(rows, view, task, controls=controls), *mine]
    if curves:
        finding = findings.finding(curves, view, task)
        figure = length(curves, finding, by=by, log=log, theme=chart.theme())
        chart.show(
            figure,
            name="length",
            alt=f"Right answers against length. {finding}.",
            table=findings.table(curves),
            caption="Bands: 95% intervals. A click on a line’s name hides it, on a point tells of it below.",
            on_select=form.pick,
            selection_mode="points",
        )
    elif rows:
        st.info(findings.finding(curves, view, task))
    if own and not mine:
        elsewhere = f"“How far”, or under the task {findings.title(own[0].task)}"
        st.info(plain(f"Your scores of {own[0].checkpoint} are of another task; they are drawn under {elsewhere}."))
    form.benchmark()
    left, right = st.columns(2, gap="medium")
    with left:
        form.point(curves, watch.listed())
        st.markdown(PAPER)
    with right:
        form.own()


def _rows() -> tuple:
    """The bundled scores; none, with a message, where the file is missing."""
    try:
        return session.result("length").rows
    except InputError as error:
        st.info(plain(str(error)))
        return ()


def _choose(rows: tuple) -> tuple:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="choices"):
        view = st.segmented_control("Compare", findings.VIEWS, format_func=findings.VIEWS.get, key="compare",
                                    default="stages", required=True, bind="query-params")  # fmt: skip
        tasks = findings.tasks(rows) or list(findings.TASKS)
        task = st.segmented_control("Task", tasks, format_func=findings.title, key="task", default=tasks[0],
                                    required=True, bind="query-params", disabled=view == "far")  # fmt: skip
        by = st.segmented_control("Length in", BY, format_func=BY.get, key="by", default="segments", required=True,
                                  bind="query-params")  # fmt: skip
        log = st.toggle("Log axis", True, key="log", bind="query-params")
        controls = st.toggle("Controls", False, key="controls", bind="query-params")
    return view, task, by, log, controls
