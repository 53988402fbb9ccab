"""Facts: are the facts still there?"""

import streamlit as st

from rmt_viz import requests
from rmt_viz.figures import facts as figures
from rmt_viz.findings import facts as findings
from rmt_viz.forms.pick_run import offer, pick_run
from rmt_viz.pages import loss
from rmt_viz.shelf import bundled_causes, menu
from rmt_viz.widgets import chart, progress
from rmt_viz.widgets.markdown import plain

NONE = "No facts were counted over many runs of this checkpoint. python -m rmt facts CHECKPOINT does it."
BANDS = "Lines: means over facts; bands: 10 to 90 % of them. The question is put to a copy of the memory."


def listed():
    """The page as Streamlit lists it, for the frame and for links to it."""
    return st.Page(page, title=menu.ALL["facts"].label, url_path="facts")


def page() -> None:
    """The life of facts in many runs of a checkpoint, and in the run chosen in the sidebar."""
    picked = pick_run(permalink=True)
    if picked is None:
        return
    run, documents = picked[0], bundled_causes.of_checkpoint(picked[0])
    if findings.tells_nothing(run):
        _nothing_told()
        return
    control = {None: "trained"}.get(run.trace.meta["control"], run.trace.meta["control"])
    with st.container(key="title", gap="xxsmall"):
        st.subheader("Are the facts still there?", anchor=False)
        st.caption("Captured: right at the first chance, after the segment that tells it. Kept: right later still.")
    with st.container(gap="small"):
        left, right = st.columns(2, gap="medium")
        with left:
            _survival(documents)
        with right:
            _ledger(run)
        if control in documents:
            _slots(documents[control], control)


def _nothing_told() -> None:
    """Say that there is nothing to ask for in this run, with links to what there is instead."""
    with st.container(key="title", gap="small"):
        st.subheader(f"{findings.ledger([])}", anchor=False)
        st.caption("It is text without facts: no question has an answer in it.")
        offer(listed(), "See the facts of a run that tells some", lambda run: not findings.tells_nothing(run))
        st.page_link(loss.listed(), label="See what memory brings a language model, which answers no questions",
                     icon=":material/arrow_forward:")  # fmt: skip


def _survival(documents: dict) -> None:
    if "trained" not in documents:
        st.info(plain(NONE))
        offer(listed(), "See facts that were counted", lambda run: "trained" in bundled_causes.of_checkpoint(run))
        return
    finding = findings.survival(documents)
    figure = figures.survival(documents, finding, theme=chart.theme())
    chart.show(figure, name="survival", alt=f"Lives of facts. {finding}.",
                table=findings.survival_table(documents), caption=BANDS)  # fmt: skip


def _ledger(run) -> None:
    explained = requests.why(run)
    if explained is None:
        st.markdown("**The facts of this run**")
        progress.offer("why", "Ask for every fact of this run", lambda: requests.start_why(run), progress.STEPS)
        return
    facts = findings.placed(explained["facts"], run)
    finding = findings.ledger(facts)
    if facts:
        figure = figures.ledger(facts, finding, theme=chart.theme())
        chart.show(figure, name="ledger", run=run.id, alt=f"Facts of this run. {finding}.",
                    table=findings.ledger_table(facts),
                    caption="Dotted: where it is told. A line ends where its fact is replaced.")  # fmt: skip
    else:
        st.info(plain(f"{finding}."))


def _slots(document: dict, control: str) -> None:
    """Three figures: where facts can be read, which slots are used, and what a second fact does to the first."""
    left, right = st.columns(2, gap="medium")
    if "probes" in document:
        with left:
            finding = findings.readable(document)
            figure = figures.readable(document, finding, theme=chart.theme())
            chart.show(figure, name="readable", alt=f"Probes. {finding}.",
                        table=findings.readable_table(document),
                        caption=f"Readable ({control}): where linear probes find the answer.")  # fmt: skip
    with right:
        finding = findings.used(document)
        chart.show(figures.used(document, finding, theme=chart.theme()), name="used", alt=f"Ablation. {finding}.",
                    table=findings.used_table(document),
                    caption=f"Used ({control}): right answers when slots become their mean.")  # fmt: skip
    if not document["interference"]:
        return
    finding = findings.interference(document)
    chart.show(figures.interference(document, finding, theme=chart.theme()), name="interference",
                alt=f"Interference. {finding}.", table=findings.interference_table(document),
                caption="Means over pairs of facts; the second is told three segments after the first.")  # fmt: skip
