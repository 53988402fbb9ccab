"""Widgets of the Capacity page: people told of one by one to a memory, each asked for after every fact."""

import streamlit as st

from rmt.errors import InputError
from rmt.tasks.base import PLACES
from rmt_viz import requests, session
from rmt_viz.figures import capacity as figures
from rmt_viz.findings import capacity as findings
from rmt_viz.widgets import chart
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.progress import follow

TASK = "many-facts"
NOBODY = "nobody"
SLOT = "capacity"


def live() -> None:
    """Choose how many people there are and who moves at the end; a change is read at once after the first time."""
    slots = {
        name: config["cell"]["options"]["n_memory"]
        for name, config in session.checkpoints().items()
        if config.get("task") == TASK
    }
    if not slots:
        return
    here = sorted(slots, key=slots.get)
    st.markdown("**Add a name, and watch the answers of all the others**")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.segmented_control("Memory", here, default=here[-1], required=True, key="capacity checkpoint")
        count = st.slider("People told of", 1, findings.MOST, 6, key="capacity people")
        seed = st.number_input("Text number", 0, 999, 0, key="capacity seed", width=130)
    facts = findings.people_in_places(count, int(seed))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        mover = st.selectbox("Then moves", [NOBODY, *(person for person, _ in facts)], key="capacity mover", width=200)
        place = st.selectbox("to the", PLACES, key="capacity place", width=200, disabled=mover == NOBODY)
        asked = st.button("Tell them and ask", type="primary", key="capacity start")
    if mover != NOBODY:
        facts = [*facts, (mover, place)]
    wanted, job = (name, tuple(facts), int(seed)), session.current(SLOT)
    if asked or (job and job.about != wanted):
        try:
            job = requests.start_capacity(*wanted)
        except InputError as error:
            say(str(error))
            return
    follow(SLOT, "Reading", forget=False)
    if job and job.state == "done":
        _answers(job.result, facts, session.config_of(name)["classes"])


def _answers(answers, facts: list, classes: list[str]) -> None:
    finding = findings.live(answers, facts, classes)
    figure = figures.live(answers, facts, classes, finding, theme=chart.theme())
    chart.show(figure, name="one-by-one", alt=f"Answers about each person after each fact. {finding}.",
                table=findings.live_table(answers, facts, classes),
                caption="Each fact stands in a segment of its own, among background; everybody is asked for after it, "
                "each alone and of a copy of the memory. ✗: a wrong answer.")  # fmt: skip
