"""Figures of What if: the difference of two runs, and the effect of each slot by segment."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rmt.measure.contrast import Contrast
from rmt_viz.figures.canvas import categories, diverging, dress, escape, lines
from rmt_viz.figures.theme import HUES


def apart(difference: Contrast, finding: str, *, theme: str = "light") -> go.Figure:
    """The changed run minus the original: P(answer), the distance of the memories, and the loss."""
    scored = bool(np.isfinite(difference.loss).any())
    rows = [*(["answer"] if difference.classes else []), "memory", *(["loss"] if scored else [])]
    figure = _stacked(rows, finding, theme=theme, width=900, height=130 + 120 * len(rows))
    x = np.arange(len(difference.apart))
    for name, hue, change in zip(
        difference.classes,
        categories(len(difference.classes), theme),
        difference.after - difference.before,
        strict=True,
    ):
        lines(figure, x, change, f"Δ P({escape(name)})", {"color": hue, "width": 2.4}, 1)
    lines(figure, x, difference.apart, "memories apart", {"color": HUES[theme]["change"]}, rows.index("memory") + 1)
    if scored:
        at = rows.index("loss") + 1
        figure.add_trace(
            go.Bar(x=x[1:], y=difference.loss, marker_color=HUES[theme]["loss"], name="loss, changed − as it was"),
            row=at,
            col=1,
        )
    titles = {"answer": "Δ P(answer)<br>if asked", "memory": "distance of<br>the memories", "loss": "Δ loss<br>(nats)"}
    for i, row in enumerate(rows, 1):
        figure.update_yaxes(title_text=titles[row], rangemode="tozero", row=i, col=1)
    if difference.classes:
        figure.update_yaxes(range=[-1.05, 1.05], row=1, col=1)
    figure.update_xaxes(title_text="after segment (0: before the first)", row=len(rows), col=1)
    return figure


def slot_map(effects: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """Two maps of slot by segment: how far P(answer) falls without one slot, and with one slot alone."""
    figure = make_subplots(
        1, 2, horizontal_spacing=0.09, subplot_titles=("without this slot", "with this slot alone"), shared_yaxes=True
    )
    most = max(0.05, *(float(np.abs(np.array(effects[name])).max(initial=0)) for name in ("without", "alone", "whole")))
    unit = "fall of P(answer)" if effects["answer"] is not None else "rise of the loss (nats)"
    for col, name in enumerate(("without", "alone"), 1):
        rows = [*np.array(effects[name], float).T, np.array(effects["whole"], float)]
        names = [*(f"slot {i + 1}" for i in range(len(rows) - 1)), "all of them"]
        figure.add_trace(
            go.Heatmap(
                z=np.array(rows),
                x=[f"{s + 1}" for s in effects["segments"]],
                y=names,
                coloraxis="coloraxis",
                xgap=2,
                ygap=2,
                hovertemplate="before segment %{x}, %{y}<br>%{z:.3f}<extra></extra>",
            ),
            row=1,
            col=col,
        )
    dress(figure, finding, theme=theme, width=900, height=170 + 26 * (len(effects["without"][0]) + 1))
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title_text="ablated before segment", type="category", showgrid=False)
    bar = {"title": {"text": unit, "side": "right", "font": {"size": 13}}, "thickness": 12, "outlinewidth": 0}
    figure.update_layout(coloraxis={"colorscale": diverging(theme), "cmin": -most, "cmax": most, "colorbar": bar})
    return figure


def _stacked(rows: Sequence[str], finding: str, *, theme: str, width: int, height: int) -> go.Figure:
    figure = make_subplots(len(rows), 1, shared_xaxes=True, vertical_spacing=0.09)
    dress(figure, finding, theme=theme, width=width, height=height)
    return figure.update_layout(legend={"orientation": "v", "y": 1, "font": {"size": 12.5}})
