"""Gallery: where is it right, and where wrong?"""

import streamlit as st

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.components import rows as list_
from rmt_viz.findings import gallery as findings
from rmt_viz.forms import gallery as forms
from rmt_viz.pages import watch
from rmt_viz.shelf import menu
from rmt_viz.widgets import chart
from rmt_viz.widgets.links import open_run
from rmt_viz.widgets.markdown import plain

ABOUT = (
    "Texts that training never saw: the first seeds of each kind, none left out. A click records the text again, here "
    "and now, and opens it where the answer is decided."
)


def page() -> None:
    """Rows of texts with their answers, failures first; each is recorded again and opened on Watch."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader(menu.ALL["gallery"].question, anchor=False)
        st.caption(ABOUT)
    try:
        made = session.result("gallery")
    except InputError as error:
        st.info(plain(str(error)))
        return
    head = st.container(gap="small")
    with st.container(gap="small"):
        rows = forms.choose(made.rows)
        st.markdown(f"**{plain(findings.gallery(rows))}.**")
        clicked = list_.show([findings.line(row) for row in rows])
        caption = f"Made by {made.command}; `python -m rmt gallery` lists others."
        chart.numbers(name="gallery", table=findings.table(rows), caption=caption.replace("`", ""))
    with head:
        opened = forms.opened(made.rows, clicked)
    if opened:
        id, row = opened
        open_run(watch.listed(), id, segment=row.moment)
