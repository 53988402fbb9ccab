"""Component: the report of a checkpoint, with its layout, its sizes, what is inferred, what is missing, what to do."""

import re

import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE

BLOCK = re.compile(r"(\[(?:CLS|SEP)\])|(\d+|some) (read memory|write memory|memory|tokens)")
KINDS = {"read memory": "read", "write memory": "write", "memory": "both", "tokens": "tokens"}
FACTS = (  # what is shown large, and the field of the report
    ("parameters", "parameters"),
    ("layers", "layers"),
    ("heads", "heads"),
    ("width", "width"),
    ("vocabulary", "known tokens"),
    ("n_memory", "slots"),
    ("segment_length", "tokens a segment"),
    ("precision", "precision"),
)
_REPORT = st.components.v2.component(
    "rmt_report",
    html='<div class="report"></div>\n<!-- drawn by report.js -->',
    css=bundle.read(HERE / "report.css"),
    js=bundle.script("dom.js", "theme.js", HERE / "report.js"),
)


def show(report) -> None:
    """Draw the report; its strings reach the page as text nodes only."""
    _REPORT(key="report", data=laid_out(report))


def laid_out(report) -> dict:
    """The report as data for the browser: every sentence once, under its heading, and the numbers beside them."""
    first, *rest = report.sentences()
    tail = [*report.inferred, *report.missing, report.next]
    rest = rest[: len(rest) - len(tail)]
    layout = [sentence for sentence in rest if sentence.startswith("A segment ")]
    backbone = [sentence for sentence in rest if sentence.startswith("Its backbone ")]
    groups = (
        ("What it is", [first, *backbone]),
        ("How a segment is read", layout),
        ("Inferred", report.inferred),
        ("To know", [sentence for sentence in rest if sentence not in (*layout, *backbone)]),
        ("Missing", report.missing),
        ("What to do", [report.next]),
    )
    return {
        "name": report.path,
        "ready": report.ready,
        "blocks": blocks(report.layout or ""),
        "facts": [[label, _number(value)] for name, label in FACTS if (value := getattr(report, name)) is not None],
        "classes": report.classes,
        "answers": report.answers,
        "groups": [{"title": title, "sentences": lines} for title, lines in groups if lines],
    }


def blocks(layout: str) -> list[dict]:
    """The blocks of a segment's layout: [4 read memory | 10 tokens | 4 write memory] has three."""
    return [
        {"kind": "mark", "text": mark} if mark else {"kind": KINDS[what], "text": f"{count} {what}"}
        for mark, count, what in BLOCK.findall(layout)
    ]


def _number(value) -> str:
    return f"{value:,}" if isinstance(value, int) else value
