"""Figures of Train: training curves with the stages of the curriculum, and one text read at several moments."""

from collections.abc import Sequence

import plotly.graph_objects as go

from rmt_viz.figures.canvas import MUTED, canvas, escape, note
from rmt_viz.figures.theme import HUES
from rmt_viz.findings.train import UNITS, Reading, Stage, stages

ROOM = 0.035  # of the width: a stage that takes less has no name over it
GROUND = 0.08  # opacity
ROW, MOST_NUMBERS = 24, 400
CURVES = (("loss", "loss", "y", "solid"), ("stream_loss", "loss", "y", "dot"))
CURVES += (("accuracy", "knows", "y2", "solid"), ("stream_accuracy", "knows", "y2", "dot"))
NAMES = {"stream_loss": "loss on streams", "stream_accuracy": "accuracy on streams"}


def curves(lines: Sequence[dict], finding: str, *, by: str = "step", theme: str = "light") -> go.Figure:
    """Loss above, accuracy below, the stages as background. by: "step", "seconds" or "tokens"."""
    figure = canvas(finding, theme=theme, x=UNITS[by], y="loss (nats)", width=900, height=390)
    title = {"text": "accuracy", "standoff": 8, "font": {"size": 13}}
    grid = figure.layout.yaxis.gridcolor
    figure.update_layout(
        yaxis={"domain": [0.57, 1], "type": "log", "dtick": 1},
        yaxis2={"domain": [0, 0.43], "range": [0, 1.05], "tickformat": ".0%", "title": title, "gridcolor": grid},
        xaxis={"anchor": "y2", "rangemode": "tozero"},
        showlegend=False,
        hovermode="x unified",
    )
    x = [line[by] for line in lines]
    for name, hue, axis, dash in CURVES:
        if any(name in line for line in lines):
            style = {"color": HUES[theme][hue], "width": 2, "dash": dash}
            values = [line.get(name) for line in lines]
            digits = ".3f" if axis == "y" else ".1%"
            figure.add_trace(
                go.Scatter(x=x, y=values, name=NAMES.get(name, name), line=style, mode="lines", yaxis=axis)
                .update(hovertemplate=f"%{{y:{digits}}}", connectgaps=False)
            )  # fmt: skip
    for i, stage in enumerate(stages(lines)):
        _stage(figure, i, stage, x, theme)
    return figure


def _stage(figure: go.Figure, i: int, stage: Stage, x: Sequence[float], theme: str) -> None:
    """Draw a stage's background, and its name between the curves where there is room."""
    begin, end = x[stage.first - 1] if stage.first else 0, x[stage.last]
    if i % 2:
        figure.add_shape(
            type="rect",
            x0=begin,
            x1=end,
            y0=0,
            y1=1,
            yref="paper",
            fillcolor=MUTED[theme],
            opacity=GROUND,
            line_width=0,
            layer="below",
        )
    if end - begin > ROOM * x[-1]:
        note(figure, short(stage.name), theme=theme, x=(begin + end) / 2, y=0.5, yref="paper", yanchor="middle")


def short(name: str) -> str:
    """A stage's name, short enough to stand over its background."""
    if name == "streaming":
        return "streams"
    return name.split(" ")[0] if "," not in name else "lesson"


def readings(moments: Sequence[Reading], finding: str, *, of: str = "P(answer)", theme: str = "light") -> go.Figure:
    """P(answer) of one text, or the loss in its segments: a row for each moment of training, a column for each segment.

    of: "P(answer)", asked after so many segments, or "loss", in nats.
    """
    asked = of == "P(answer)"
    n = len(moments[0].knows)
    figure = canvas(
        finding, theme=theme, x="segments read when the question comes" if asked else "segment", y="", width=900
    )
    rows = [f"step {reading.step:,}" + (f" · {reading.label}" if reading.label else "") for reading in moments]
    values = [list(reading.knows) for reading in moments]
    figure.add_trace(
        go.Heatmap(
            z=values, x=[str(i + (not asked)) for i in range(n)], y=list(map(escape, rows)), zmin=0,
            zmax=1 if asked else None, colorscale="Viridis",
            xgap=1, ygap=1,
            texttemplate="%{z:.2f}" if n * len(moments) <= MOST_NUMBERS else None,
            colorbar={"title": {"text": of, "side": "right", "font": {"size": 13}}, "thickness": 10},
            hovertemplate=f"%{{y}}<br>{'after %{x} segments' if asked else 'segment %{x}'}: %{{z:.3f}}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", type="category", title=None, showgrid=False)
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_layout(height=130 + ROW * len(moments), margin={"l": 170})
