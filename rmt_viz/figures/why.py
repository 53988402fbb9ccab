"""Figures of Why: the parts of an output, by segment, slot, token or class."""

from collections.abc import Sequence

import plotly.graph_objects as go

from rmt_viz.figures.canvas import LEGEND, canvas, escape
from rmt_viz.figures.theme import HUES


def parts(
    values: Sequence[float], names: Sequence[str], finding: str, *, x: str, y: str, theme: str = "light", **size
) -> go.Figure:
    """Parts of an output as signed bars."""
    figure = canvas(finding, theme=theme, x=x, y=y, **size)
    hues = [HUES[theme]["knows" if value >= 0 else "write"] for value in values]
    figure.add_trace(
        go.Bar(x=list(names), y=list(values), marker_color=hues, hovertemplate="%{x}: %{y:.3f}<extra></extra>")
    )
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(zeroline=True)


def local_and_memory(found: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """The last segment's logit of each class with memory ablated, and what memory adds to it."""
    figure = canvas(finding, theme=theme, x="logit", y="", width=430, height=330)
    names = [escape(name) for name in found["classes"]]
    for key, label, hue in (("local", "without memory of its own", "loss"), ("memory", "what memory adds", "knows")):
        figure.add_trace(
            go.Bar(
                y=names, x=found[key], name=label, orientation="h", marker_color=HUES[theme][hue],
                hovertemplate="%{y}: %{x:.2f}<extra>" + label + "</extra>",
            )
        )  # fmt: skip
    figure.update_layout(barmode="group", legend=LEGEND, margin_t=figure.layout.margin.t + 22)
    return figure.update_yaxes(autorange="reversed", showgrid=False, automargin=True)
