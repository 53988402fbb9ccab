"""Figure of Length: accuracy against length, the paper's Figures 4 and 5."""

from collections.abc import Sequence

import plotly.graph_objects as go

from rmt_viz.figures.canvas import DASHES, MUTED, SYMBOLS, band, canvas, categories, escape, ground, note, steps
from rmt_viz.findings.length import Curve, chances, hover

UNITS = {"segments": "length (segments)", "tokens": "length (tokens)"}
LEGENDS = {"stage": "trained on", "plain": "", "control": "control", "yours": "yours"}


def length(
    curves: Sequence[Curve], finding: str, *, by: str = "segments", log: bool = True, theme: str = "light"
) -> go.Figure:
    """A line for each model with its confidence interval. by: "segments" or "tokens".

    The customdata of a point is (index of the curve, index of the score).
    """
    figure = canvas(finding, theme=theme, x=UNITS[by], y="right answers", width=900)
    for i, (curve, colour) in enumerate(zip(curves, _colours(curves, theme), strict=True)):
        _line(figure, i, curve, colour, by, theme)
    for chance in chances(curves):
        figure.add_hline(chance, line={"color": MUTED[theme], "width": 1, "dash": "dot"})
        note(figure, f"chance, {chance:.0%}", theme=theme, x=1, xref="paper", xanchor="right", y=chance, yanchor="top")
    figure.update_yaxes(range=[0, 1.035], tickformat=".0%", tickvals=[0, 0.25, 0.5, 0.75, 0.9, 1])
    at = sorted({getattr(score, by) for curve in curves for score in curve.scores})
    if log:
        figure.update_xaxes(type="log", tickvals=_apart(at), tickformat=",d", minor={"showgrid": False})
    else:
        figure.update_xaxes(tickformat=",d", rangemode="tozero")
    return figure


def _line(figure: go.Figure, i: int, curve: Curve, colour: str, by: str, theme: str) -> None:
    x = [getattr(score, by) for score in curve.scores]
    control, group = curve.kind == "control", f"{i}"
    if len(x) > 1:
        band(figure, x, *zip(*((s.low, s.high) for s in curve.scores), strict=True), colour, legendgroup=group)
    figure.add_trace(
        go.Scatter(
            x=x,
            y=[score.accuracy for score in curve.scores],
            name=escape(curve.name),
            mode="lines+markers",
            line={"color": colour, "width": 1.5 if control else 2.5, "dash": _dash(curve, i)},
            marker={
                "size": 13 if curve.kind == "yours" else 8 if control else 10,
                "symbol": "star" if curve.kind == "yours" else SYMBOLS[i % len(SYMBOLS)],
                "line": {"color": ground(theme), "width": 1},
            },
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 0.75}},
            customdata=[[i, j] for j in range(len(x))],
            text=["<br>".join(map(escape, hover(score))) for score in curve.scores],
            hovertemplate="%{text}<extra></extra>",
            legendgroup=group,
            legendgrouptitle=_group_title(figure, curve),
        )
    )


def _dash(curve: Curve, i: int) -> str:
    return {"stage": "solid", "control": "dot", "yours": "solid"}.get(curve.kind, DASHES[i % len(DASHES)])


def _group_title(figure: go.Figure, curve: Curve) -> dict | None:
    """The legend's title over the first line of each kind."""
    text = LEGENDS[curve.kind]
    titles = {trace.legendgrouptitle.text for trace in figure.data}
    return {"text": text} if text and text not in titles else None


def _colours(curves: Sequence[Curve], theme: str) -> list[str]:
    stages = iter(steps(sum(curve.kind == "stage" for curve in curves), theme))
    others = iter(categories(len(curves), theme))
    return [
        MUTED[theme] if c.kind == "control" else next(stages) if c.kind == "stage" else next(others) for c in curves
    ]


def _apart(values: Sequence[int], factor: float = 1.45) -> list[int]:
    """Values whose labels do not run into each other on a log axis, out of sorted ones; always the last."""
    spaced: list[int] = []
    for value in values:
        if not spaced or value >= factor * spaced[-1]:
            spaced.append(value)
    if spaced and spaced[-1] != values[-1]:
        spaced[-1] = values[-1]
    return spaced
