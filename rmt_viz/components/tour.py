"""Component: the tour. All steps are sent to the browser at once, so going on never runs the page script again."""

import streamlit as st

from rmt.errors import InputError
from rmt.viewer import bundle, keys, slices
from rmt_viz import session
from rmt_viz.components import HERE
from rmt_viz.findings import tour
from rmt_viz.findings.tour import STEPS, Step
from rmt_viz.server import address
from rmt_viz.server.routes import PREFIX

_TOUR = st.components.v2.component(
    "rmt_tour",
    html='<div class="tour"></div>\n<!-- drawn by tour.js -->',
    css=bundle.style() + bundle.read(HERE / "tour.css"),
    js=bundle.script(*bundle.MODULES, "source.js", HERE / "tour.js"),
)


def show() -> None:
    """Draw the tour at the step that the address names, by default the first."""
    prefix = st.get_option("server.baseUrlPath").strip("/")
    steps = [laid_out(step) for step in STEPS]
    first = address.counted(str(st.query_params.get("step", "")), len(steps)) or 1
    root = f"/{prefix}" if prefix else ""
    data = {"base": root + PREFIX, "root": root or "/", "steps": steps, "first": first, "keys": keys.table()}
    _TOUR(key="tour", data=data)


def laid_out(step: Step) -> dict:
    """A step as data for the browser; where its run is missing, a sentence replaces question and picture."""
    data = {"title": step.title, "text": step.text, "look": step.look, "cards": step.cards}
    data["equations"] = [tour.symbols(line) for line in step.equations]
    try:
        run = session.library().open(step.trace)
    except InputError:
        return {**data, "missing": f"The run {step.trace} is not among the recorded ones, so there is no picture here."}
    s, colours = tour.at(step, run), slices.colours(run, None)
    question = step.ask(run, s)
    name, _, control = step.trace.partition(".")
    query = {"trace": name, "control": control or None, "segment": s + 1, "colour": step.colour}
    return {
        **data,
        "run": run.id,
        "view": {"segment": s + 1, "colour": step.colour if step.colour in colours else None},
        "colours": colours,
        "watch": f"watch{address.link(query, {})}",
        "question": question.text,
        "choices": list(question.choices),
        "right": question.right,
        "told": question.told,
    }
