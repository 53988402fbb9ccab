"""What if: does memory cause the answer?"""

import streamlit as st

from rmt.intervene import changes as ch
from rmt.measure.contrast import contrast
from rmt_viz import requests, session
from rmt_viz.components import surface
from rmt_viz.figures import what_if as figures
from rmt_viz.findings import what_if as findings
from rmt_viz.findings.facts import tells_nothing
from rmt_viz.forms import what_if
from rmt_viz.forms.pick_run import offer, pick_run
from rmt_viz.shelf import bundled_causes, menu
from rmt_viz.widgets import chart, links, progress
from rmt_viz.widgets.markdown import plain


def page() -> None:
    """A run beside the same run with its memory, text or attention changed, on one cursor."""
    picked = pick_run()
    if picked is None:
        return
    run, name, control = picked
    changes = what_if.asked(run)
    head = st.container(key="title", gap="xxsmall")
    what_if.build(run, changes)
    made = what_if.made(run, changes) if changes else None
    held, working = f"changed {run.id}", changes and not made
    if made:
        session.hold(held, changes)
    difference = contrast(run.trace, made.trace) if made else None
    with head:
        finding = findings.what_if(run.trace, made.trace, difference) if made else "Does memory cause the answer?"
        st.subheader(plain(finding), anchor=False)
        st.caption("Only what comes after the first change is read again; what comes before it is the run’s own.")
        if tells_nothing(run):
            offer(
                listed(),
                "This text tells no fact; change one of a run that does",
                lambda other: not tells_nothing(other),
            )
        if made and (told := findings.blank(what_if.control(run, made, changes))):
            st.caption(plain(told))
    if working:
        _meanwhile(run, name, control, session.held(held))
    if made:
        changed = None if difference.first is None else difference.first + 1
        both = {"begin_at": changed, "beside": (made, None), "names": ("As it was", "Changed")}
        surface.show(run, name, control, page="what-if", also={"change": st.query_params.get("change")},
                     reset=requests.reset_what_if(run, changes), **both)  # fmt: skip
        figure = figures.apart(difference, finding, theme=chart.theme())
        chart.show(figure, name="what-if", run=run.id, alt=f"Two runs apart. {finding}.",
                    table=findings.what_if_table(difference),
                    caption=f"Changed: {'; '.join(map(ch.said, changes))}")  # fmt: skip
    _slots(run)
    links.to_view("why", "The path of its cause: which words, slots and segments", trace=name,
                  control=None if control == "trained" else control)  # fmt: skip


def _meanwhile(run, name: str, control: str, before: tuple | None) -> None:
    """While the run is read again: the changes that were shown before, else the run as it was."""
    shown = requests.what_if(run, ch.write(before)) if before else None
    about = "; ".join(map(ch.said, before)) if shown else ""
    st.caption(plain(f"Meanwhile, what was shown before: {about}." if shown else "Meanwhile, the run as it was."))
    beside = {"beside": (shown, None), "names": ("As it was", "Changed before")} if shown else {}
    surface.show(run, name, control, page="what-if", also={"change": st.query_params.get("change")}, **beside)


def listed():
    """The page as Streamlit lists it, for links to it."""
    return st.Page(page, title=menu.ALL["what-if"].label, url_path="what-if")


def _slots(run) -> None:
    """The figure of which slots matter: each ablated, and all but each, before each segment."""
    effects = bundled_causes.slots_of(run) or requests.slot_map(run)
    if effects:
        finding = findings.slot_map(effects)
        caption = f"Slots become {what_if.TO[effects['to']]}; below 0: the answer gets likelier."
        figure = figures.slot_map(effects, finding, theme=chart.theme())
        chart.show(figure, name="slot-map", run=run.id, alt=f"Effect of each slot. {finding}.",
                    table=findings.slot_map_table(effects), caption=caption)  # fmt: skip
        return
    progress.offer("slots", "Find the slots that matter", lambda: requests.start_slot_map(run), progress.COUNTED)
