"""Component: the text of a run with each token coloured by its attribution."""

import numpy as np
import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE
from rmt_viz.findings.why import contradicts
from rmt_viz.shelf.library import Run

MOST = 4  # segments that are shown: those whose tokens count most
_CREDIT = st.components.v2.component(
    "rmt_credit",
    html='<div class="credit"></div>\n<!-- drawn by credit.js -->',
    css=bundle.read(HERE / "credit.css"),
    js=bundle.script("dom.js", "theme.js", HERE / "credit.js"),
)


def show(run: Run, explanation: dict, more: int | None = None) -> int | None:
    """Draw the segments that count most, in the order of the text. Returns the token just clicked, or None.

    more: a segment, counted from 0, that is drawn in any case.
    """
    chosen = _CREDIT(key="credit", data={"groups": groups(run, explanation, more)}, on_word_change=lambda: None).word
    n = len(run.trace.arrays["ids"])
    return int(chosen) if isinstance(chosen, int | float) and 0 <= chosen < n else None


def groups(run: Run, explanation: dict, more: int | None = None) -> list[dict]:
    """The drawn segments: title, note, first token; of each token text, attribution, what is lost without it."""
    values = np.array(explanation["tokens"], float)
    without = explanation.get("without") or [None] * len(values)
    starts = [start for start in run.trace.arrays["starts"][:].tolist() if start <= len(values)]
    strength = np.abs(values)
    measured = [i for i, value in enumerate(without) if value is not None]
    strength[measured] = np.maximum(strength[measured], np.abs([without[i] for i in measured]))
    size = np.add.reduceat(strength, starts[:-1])
    drawn = []
    for s in sorted({*np.argsort(-size, kind="stable")[:MOST].tolist(), *([more] if more is not None else [])}):
        a, b = run.trace.arrays["starts"][s : s + 2].tolist()
        told = values[a:b] if a < len(values) else np.zeros(b - a)
        lost = without[a:b] if a < len(values) else [None] * (b - a)
        marked = [contradicts(value, fall) for value, fall in zip(told.tolist(), lost, strict=True)]
        drawn.append(
            {
                "title": f"Segment {s + 1}",
                "note": f"all its tokens together: {told.sum():+.2f}",
                "first": a,
                "tokens": run.trace.token_texts(a, b),
                "values": np.round(told, 4).tolist(),
                "without": lost,
                "marked": marked,
            }
        )
    return drawn
