"""Figure of a whole run: write, read, change, and P(answer) or loss, segment by segment."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rmt.measure import measure
from rmt.trace import Trace
from rmt_viz.figures.theme import HUES, apply

UNITS = {"write": "share", "read": "share", "change": "distance", "knows": "probability", "loss": "nats"}
UNITS["own answer"] = UNITS["knows"]


def run(trace: Trace, *, theme: str = "light") -> go.Figure:
    """A row for each quantity, x counts segments from 1; above them the beats. theme: "light" or "dark"."""
    measures = measure(trace)
    rows = {"write": measures.share("write"), "read": measures.share("read"), "change": measures.slot_mean}
    rows |= {measures.answer: measures.knows[1:], "loss": measures.loss}
    rows = {name: row for name, row in rows.items() if np.isfinite(row).any()}
    figure = make_subplots(rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=0.06)
    x = np.arange(1, trace.done + 1)
    for i, (name, row) in enumerate(rows.items(), 1):
        answers = name == measures.answer
        hue = HUES[theme]["knows" if answers else name]
        mark = go.Scatter(line_color=hue) if answers else go.Bar(marker_color=hue)
        figure.add_trace(mark.update(x=x, y=row, name=name, showlegend=False), row=i, col=1)
        figure.update_yaxes(title_text=f"{name}<br>({UNITS[name]})", rangemode="tozero", row=i, col=1)
    for beat in measures.beats:
        figure.add_annotation(x=beat.segment + 1, y=1.06, yref="paper", text=beat.kind, showarrow=False)
        figure.layout.annotations[-1].hovertext = f"shown by {' and '.join(beat.made_from)}"
    figure.update_xaxes(title_text="segment", row=len(rows), col=1)
    figure.update_layout(height=110 * len(rows) + 90, margin={"t": 50, "b": 50, "l": 90, "r": 20})
    return apply(figure, theme)
