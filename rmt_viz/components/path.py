"""Component: the path of a cause, from words over slots to the answer; a click cuts an edge."""

import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE
from rmt_viz.findings import path as findings
from rmt_viz.shelf.library import Run

ALL = 8  # slots that are drawn whether anything goes through them or not
_PATH = st.components.v2.component(
    "rmt_path",
    html='<div class="path"></div>\n<!-- drawn by path.js -->',
    css=bundle.read(HERE / "path.css"),
    js=bundle.script("dom.js", "theme.js", "draw.js", HERE / "path.js"),
)


def show(run: Run, found: dict, cuts: str, joint: dict | None, finding: str) -> str | None:
    """Draw a path. Returns the edges that are cut now, as text, where the visitor has just changed them; else None.

    cuts: the edges that are cut. joint: the answer with them cut together, None while it is read again, or where the
    cut of a single edge is among the numbers of the path.
    """
    chosen = [name for name in cuts.split(";") if name]
    slots = range(len(found["slots"][0])) if len(found["slots"][0]) <= ALL else found["edges"]
    data = {
        "run": run.id,
        "finding": finding,
        "words": [word["text"].strip() or "␣" for word in found["words"]],
        "others": [word["other"].strip() or "␣" for word in found["words"]],
        "moments": found["moments"],
        "segments": run.trace.n_segments,
        "slots": [slot + 1 for slot in slots],
        "nodes": [[row[slot] for slot in slots] for row in found["slots"]],
        "output": found["output"],
        "other": found["other"],
        "p": found["p"],
        "reset": found["reset"],
        "edges": [edge for edge in findings.edges(found) if drawn(edge, chosen)],
        "hidden": sum(not drawn(edge, chosen) for edge in findings.edges(found)),
        "least": findings.DRAWN,
        "cuts": chosen,
        "joint": joint,
    }
    changed = _PATH(key="path", data=data, on_cut_change=lambda: None).cut
    return changed if isinstance(changed, str) else None


def drawn(edge: dict, chosen: list[str]) -> bool:
    """Whether an edge is drawn: its share is worth it, or it is cut."""
    return abs(edge["share"]) >= findings.DRAWN or edge["name"] in chosen
