"""Component: the text of a run with each token coloured by its attribution."""

import numpy as np
import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE
from rmt_viz.shelf.library import Run

MOST = 4  # segments that are shown: those whose tokens count most
_CREDIT = st.components.v2.component(
    "rmt_credit",
    html='<div class="credit"></div>\n<!-- drawn by credit.js -->',
    css=bundle.read(HERE / "credit.css"),
    js=bundle.script("dom.js", "theme.js", HERE / "credit.js"),
)


def show(run: Run, values: list[float]) -> None:
    """Draw the segments with the largest attributions, in the order of the text.

    values (Tn,): the attribution of each token, in the unit of the output (logit or nats).
    """
    _CREDIT(key="credit", data={"groups": groups(run, np.array(values, float))})


def groups(run: Run, values: np.ndarray) -> list[dict]:
    """The drawn segments: title, note, token texts and attributions of each."""
    starts = run.trace.arrays["starts"][:]
    size = np.add.reduceat(np.abs(values), starts[:-1])
    drawn = []
    for s in sorted(np.argsort(-size, kind="stable")[:MOST].tolist()):
        a, b = int(starts[s]), int(starts[s + 1])
        drawn.append(
            {
                "title": f"Segment {s + 1}",
                "note": f"all its tokens together: {values[a:b].sum():+.2f}",
                "tokens": run.trace.token_texts(a, b),
                "values": np.round(values[a:b], 4).tolist(),
            }
        )
    return drawn
