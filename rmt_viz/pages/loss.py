"""Loss: what does memory bring a language model?"""

import streamlit as st

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.components import jumps as jump_list
from rmt_viz.figures import loss as figures
from rmt_viz.findings import loss, one_text
from rmt_viz.forms import loss as form
from rmt_viz.pages import watch
from rmt_viz.shelf import menu
from rmt_viz.widgets import chart, links
from rmt_viz.widgets.markdown import plain

ON = {"Held-out documents": "lm", "With SmolLM2": "lm-smollm2", "One text": None}  # the results that are drawn


def listed():
    """The page as Streamlit lists it, for the frame and for links to it."""
    return st.Page(page, title=menu.ALL["loss"].label, url_path="loss")


def page() -> None:
    """Mean losses over documents that no model was trained on, or the loss of one text token by token."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader(menu.ALL["loss"].question, anchor=False)
        st.caption("How surprised a model is by each token of a segment, with more or less of the text before it.")
    with st.container(gap="small"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
            on = st.segmented_control("On", ON, key="on", default=next(iter(ON)), required=True, bind="query-params")
            log = st.toggle("Log axes", True, key="log", bind="query-params")
            choices = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
        if ON[on]:
            _held_out(ON[on], log, choices)
        else:
            _one_text(log)


def _held_out(name: str, log: bool, choices) -> None:
    try:
        results = session.result(name)
    except InputError as error:
        st.info(plain(str(error)))
        return
    rows, theme = results.rows, chart.theme()
    with choices:
        history = st.segmented_control("History (segments)", loss.histories(rows), key="history", required=True,
                                       default=loss.usual(rows), bind="query-params")  # fmt: skip
        over = st.segmented_control("Perplexity of", list(loss.FIELDS), key="over", default=loss.EVERY,
                                    required=True, bind="query-params")  # fmt: skip
    shown = form.mechanisms(rows)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        finding = loss.gained(rows, results.about.get("comparisons", []), history)
        lines = loss.by_position(rows, history, shown, log=log)
        chart.show(figures.by_position(lines, finding, log=log, theme=theme), name="loss-by-position",
                    alt=f"Loss in nats at each position of a segment. {finding}.",
                    table=loss.table(rows, history, shown), caption=loss.provenance(results))  # fmt: skip
    with right:
        lines = loss.by_history(rows, shown, over)
        finding = loss.falls(lines, over)
        chart.show(figures.by_history(lines, finding, log=log, theme=theme), name="perplexity-by-history",
                    alt=f"Perplexity against history. {finding}.", table=loss.history_table(lines),
                    caption="Bars: one standard error over documents.")  # fmt: skip


def _one_text(log: bool) -> None:
    name = form.pick_text()
    if name:
        run, reset = session.library().open(name), session.reset_of(name)
        left, right = st.columns([2, 3], gap="medium")
        with left:
            finding = one_text.finding(run.trace, reset.trace)
            figure = figures.by_position(one_text.lines(run.trace, reset.trace, log=log), finding, log=log,
                                         theme=chart.theme(), width=430)  # fmt: skip
            chart.show(figure, name="loss-of-this-text", alt=f"Loss at each position of this text. {finding}.",
                        table=one_text.table(run.trace, reset.trace),
                        caption="Means over the segments after the first; bands: one standard error.")  # fmt: skip
        with right:
            chosen = jump_list.show(run, reset)
        if chosen:
            links.open_run(watch.listed(), name, segment=chosen, colour="gain")
    finished = form.own_text()
    if finished:
        session.show_text_next(finished)
        st.rerun()
