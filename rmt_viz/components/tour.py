"""The tour on a page: all its steps go to the browser at once, so that going on asks nothing of the page script."""

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
    """Draw the step that the address names, the first one by default."""
    prefix = st.get_option("server.baseUrlPath").strip("/")
    steps = [laid_out(step) for step in STEPS]
    first = address.counted(str(st.query_params.get("step", "")), len(steps)) or 1
    root = f"/{prefix}" if prefix else ""
    data = {"base": root + PREFIX, "root": root or "/", "steps": steps, "first": first, "keys": keys.table()}
    _TOUR(key="tour", data=data)


def laid_out(step: Step) -> dict:
    """A step as the browser takes it; where its run is not there, a sentence in the place of question and picture."""
    told = {"title": step.title, "text": step.text, "look": step.look, "cards": step.cards}
    told["equations"] = [tour.symbols(line) for line in step.equations]
    try:
        run = session.library().open(step.trace)
    except InputError:
        return {**told, "missing": f"The run {step.trace} is not among the recorded ones, so there is no picture here."}
    s, colours = tour.at(step, run), slices.colours(run, None)
    asked = step.ask(run, s)
    name, _, control = step.trace.partition(".")
    query = {"trace": name, "control": control or None, "segment": s + 1, "colour": step.colour}
    return {
        **told,
        "run": run.id,
        "view": {"segment": s + 1, "colour": step.colour if step.colour in colours else None},
        "colours": colours,
        "watch": f"watch{address.link(query, {})}",
        "question": asked.text,
        "choices": list(asked.choices),
        "right": asked.right,
        "told": asked.told,
    }
