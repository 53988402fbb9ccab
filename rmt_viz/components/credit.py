"""Tokens coloured by their part of an output, on a Streamlit page."""

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
    """Draw the segments whose tokens count most, in their order. values (Tn,): the part of each token."""
    _CREDIT(key="credit", data={"groups": groups(run, np.array(values, float))})


def groups(run: Run, values: np.ndarray) -> list[dict]:
    """What is drawn of each segment."""
    starts = run.trace.arrays["starts"][:]
    size = np.add.reduceat(np.abs(values), starts[:-1])
    found = []
    for s in sorted(np.argsort(-size, kind="stable")[:MOST].tolist()):
        a, b = int(starts[s]), int(starts[s + 1])
        found.append(
            {
                "title": f"Segment {s + 1}",
                "note": f"all its tokens together: {values[a:b].sum():+.2f}",
                "tokens": run.trace.token_texts(a, b),
                "values": np.round(values[a:b], 4).tolist(),
            }
        )
    return found
