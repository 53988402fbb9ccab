"""The front page's experiment on a Streamlit page: drawn and edited in the browser, which asks a route for numbers."""

import streamlit as st

from rmt.tasks.base import ACTIONS, NAMES, PLACES
from rmt.viewer import bundle
from rmt_viz.components import HERE
from rmt_viz.server.experiment import PATH
from rmt_viz.shelf import experiment, menu

MODULES = (  # each after those it imports
    "story.js", "cards.js", "lanes.js", "editor.js", "reader.js", "switches.js", "moments.js", "tries.js",
    "experiment.js",
)  # fmt: skip
LINKS = ("tour", "watch", "what-if", "facts")  # where to go next
_EXPERIMENT = st.components.v2.component(
    "rmt_experiment",
    html='<div class="experiment"></div>\n<!-- drawn by experiment.js -->',
    css=bundle.read(HERE / "lanes.css") + bundle.read(HERE / "experiment.css"),
    js=bundle.script("dom.js", "overlay.js", *(HERE / name for name in MODULES)),
)


def show() -> None:
    """Draw it: the default text from what lies in assets, without a model; everything else is asked for."""
    prefix = st.get_option("server.baseUrlPath").strip("/")
    root = f"/{prefix}/" if prefix else "/"
    _EXPERIMENT(
        key="experiment",
        data={
            "root": root,
            "path": root.rstrip("/") + PATH,
            "bundled": experiment.bundled(),
            "start": experiment.document(experiment.DEFAULT),
            "names": NAMES,
            "places": PLACES,
            "actions": ACTIONS,
            "limits": {
                "facts": experiment.MOST_FACTS,
                "segments": experiment.MOST_SEGMENTS,
                "noise": experiment.MOST_NOISE,
                "characters": experiment.MOST_CHARACTERS,
            },
            "links": [[path, menu.ALL[path].question, menu.ALL[path].line] for path in LINKS],
        },
    )
