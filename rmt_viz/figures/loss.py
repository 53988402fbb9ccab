"""Figures of Loss: loss at each position of a segment, perplexity against history (the paper's Figures 8 and 7)."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from rmt.memory.words import WORDS
from rmt_viz.figures.canvas import MUTED, SYMBOLS, band, canvas, escape, ground
from rmt_viz.figures.theme import HUES
from rmt_viz.findings.loss import Line

HEIGHT = 410
LOOKS = {words.kind: (words.hue, words.dash) for words in WORDS}  # hue and stroke of each mechanism
LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "y": -0.2, "yanchor": "top", "font": {"size": 12}}
LEGEND |= {"entrywidthmode": "fraction", "itemsizing": "trace"}


def by_position(
    lines: Sequence[Line], finding: str, *, log: bool = True, theme: str = "light", width: int = 620
) -> go.Figure:
    """Loss in nats by position, with a band of one standard error on each side."""
    figure = canvas(finding, theme=theme, x="position in the segment", y="loss (nats)", width=width, height=HEIGHT)
    for line, colour, look in _looks(lines, theme):
        band(figure, line.x, line.loss - line.stderr, line.loss + line.stderr, colour, legendgroup=line.name)
        figure.add_trace(
            go.Scatter(
                x=line.x,
                y=line.loss,
                name=escape(line.name),
                mode="lines",
                line=look,
                legendgroup=line.name,
                customdata=line.stderr,
                hovertemplate=f"<b>{escape(line.name)}</b><br>"
                "position %{x:.0f}: %{y:.2f} ± %{customdata:.2f} nats<extra></extra>",
            )
        )
    if log:
        figure.update_xaxes(type="log", tickvals=[2**i for i in range(12)], minor={"showgrid": False})
    return figure.update_layout(legend={**LEGEND, "entrywidth": 0.32 if len(lines) > 2 else 0.48})


def by_history(lines: Sequence[Line], finding: str, *, log: bool = True, theme: str = "light") -> go.Figure:
    """Perplexity by history, with bars of one standard error. On a log axis, each doubling of history + 1 is a step."""
    figure = canvas(finding, theme=theme, x="history (segments)", y="perplexity", width=430, height=HEIGHT)
    at = lambda x: np.log2(x + 1) if log else x  # noqa: E731
    for i, (line, colour, look) in enumerate(_looks(lines, theme)):
        middle = np.exp(line.loss)
        up, down = np.exp(line.loss + line.stderr) - middle, middle - np.exp(line.loss - line.stderr)
        figure.add_trace(
            go.Scatter(
                x=at(line.x),
                y=middle,
                name=escape(line.name),
                mode="lines+markers",
                line=look,
                marker={"size": 8, "symbol": SYMBOLS[i % len(SYMBOLS)], "line": {"color": ground(theme), "width": 1}},
                error_y={"array": up, "arrayminus": down, "thickness": 1.2, "width": 3, "color": colour},
                customdata=np.stack([line.x, line.loss, line.stderr], 1),
                hovertemplate=f"<b>{escape(line.name)}</b><br>%{{customdata[0]:.0f}} segments: perplexity %{{y:.1f}}"
                "<br>%{customdata[1]:.3f} ± %{customdata[2]:.3f} nats<extra></extra>",
            )
        )
    history = np.unique(np.concatenate([line.x for line in lines])) if lines else np.array([])
    figure.update_xaxes(tickvals=at(history), ticktext=[f"{x:.0f}" for x in history])
    if log:
        figure.update_yaxes(type="log", dtick="D1" if not lines else None, tickformat="~s")
    return figure.update_layout(legend={**LEGEND, "entrywidth": 0.5})


def _looks(lines: Sequence[Line], theme: str) -> list[tuple[Line, str, dict]]:
    """Each line with its colour and stroke, the same in every selection of lines; controls are grey."""
    looks, controls = [], iter(("dot", "dashdot", "longdash") * len(lines))
    for line in lines:
        hue, dash = LOOKS.get(line.mechanism, ("loss", "dot"))
        if line.control:
            looks.append((line, MUTED[theme], {"color": MUTED[theme], "width": 1.8, "dash": next(controls)}))
        else:
            width = 3 if line.mechanism == "rmt" else 2
            looks.append((line, HUES[theme][hue], {"color": HUES[theme][hue], "width": width, "dash": dash}))
    return looks
