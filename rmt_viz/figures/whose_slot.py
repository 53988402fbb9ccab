"""The figure of whose slot is whose: answers that come with a slot of another text's memory."""

from collections.abc import Sequence

import plotly.graph_objects as go

from rmt_viz.figures.canvas import canvas, escape, sequential
from rmt_viz.findings.whose_slot import slot_name
from rmt_viz.findings.words import percent
from rmt_viz.shelf.brought import Brought


def whose_slot(lines: Sequence[Sequence[Brought]], finding: str, *, theme: str = "light") -> go.Figure:
    """A cell for each slot and person: the share of answers that came with the slot."""
    figure = canvas(finding, theme=theme, x="", y="", width=1000, height=110 + 30 * len(lines))
    names = [escape(row.name) for row in lines[0]]
    figure.add_trace(
        go.Heatmap(
            z=[[row.share for row in line] for line in lines], x=names, y=[slot_name(line[0].slot) for line in lines],
            text=[[percent(row.share) for row in line] for line in lines], texttemplate="%{text}", xgap=2, ygap=2,
            zmin=0, zmax=1, colorscale=sequential("knows", theme), showscale=False,
            customdata=[[row.of for row in line] for line in lines],
            hovertemplate="%{y}, about %{x}<br>%{text} of %{customdata} answers came with it<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
    figure.update_xaxes(type="category", showgrid=False, side="top", ticks="")
    return figure.update_layout(margin_t=figure.layout.margin.t + 24, margin_b=10)
