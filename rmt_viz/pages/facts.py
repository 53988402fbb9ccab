"""Facts: are the facts still there?"""

import streamlit as st

from rmt_viz import requests
from rmt_viz.figures import facts as figures
from rmt_viz.findings import facts as findings
from rmt_viz.forms.pick_run import pick_run
from rmt_viz.shelf import bundled_causes
from rmt_viz.widgets import chart, progress
from rmt_viz.widgets.markdown import plain

NONE = "No facts were counted over many runs of this checkpoint. python -m rmt facts CHECKPOINT does it."
BANDS = "Lines: means over facts; bands: 10 to 90 % of them. The question is put to a copy of the memory."


def page() -> None:
    """The life of facts in many runs, and in the one that the sidebar names."""
    picked = pick_run()
    if picked is None:
        return
    run, found = picked[0], bundled_causes.of_checkpoint(picked[0])
    control = {None: "trained"}.get(run.trace.meta["control"], run.trace.meta["control"])
    with st.container(key="title", gap="xxsmall"):
        st.subheader("Are the facts still there?", anchor=False)
        st.caption("Captured: right at the first chance, after the segment that tells it. Kept: right later still.")
    with st.container(gap="small"):
        left, right = st.columns(2, gap="medium")
        with left:
            _survival(found)
        with right:
            _ledger(run)
        if control in found:
            _slots(found[control], control)


def _survival(found: dict) -> None:
    if "trained" not in found:
        st.info(plain(NONE))
        return
    told = findings.survival(found)
    chart.show(figures.survival(found, told, theme=chart.theme()), name="survival", alt=f"Lives of facts. {told}.",
                table=findings.survival_table(found), caption=BANDS)  # fmt: skip


def _ledger(run) -> None:
    explained = requests.why(run)
    if explained is None:
        st.markdown("**The facts of this run**")
        progress.offer("why", "Ask for every fact of this run", lambda: requests.start_why(run), progress.STEPS)
        return
    facts = findings.placed(explained["facts"], run)
    told = findings.ledger(facts)
    if facts:
        figure = figures.ledger(facts, told, theme=chart.theme())
        chart.show(figure, name="ledger", alt=f"Facts of this run. {told}.", table=findings.ledger_table(facts), 
                    caption="Dotted: where it is told. A line ends where its fact is replaced.")  # fmt: skip
    else:
        st.info(plain(f"{told}."))


def _slots(found: dict, control: str) -> None:
    """Where facts can be read, beside where they are used, beside what a second fact does."""
    one, two = st.columns(2, gap="medium")
    if "probes" in found:
        with one:
            told = findings.readable(found)
            chart.show(figures.readable(found, told, theme=chart.theme()), name="readable", alt=f"Probes. {told}.",
                        table=findings.readable_table(found),
                        caption=f"Readable where ({control}): linear probes.")  # fmt: skip
    with two:
        told = findings.used(found)
        chart.show(figures.used(found, told, theme=chart.theme()), name="used", alt=f"Ablation. {told}.",
                    table=findings.used_table(found),
                    caption=f"Used where ({control}): slots become their mean.")  # fmt: skip
    if not found["interference"]:
        return
    told = findings.interference(found)
    chart.show(figures.interference(found, told, theme=chart.theme()), name="interference",
                alt=f"Interference. {told}.", table=findings.interference_table(found),
                caption="Means over pairs of facts; the second is told three segments after the first.")  # fmt: skip
