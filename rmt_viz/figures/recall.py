"""Figures of Mechanisms: what trained mechanisms give back of a text, and texts longer than trained on."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from rmt_viz.figures.canvas import MUTED, SYMBOLS, band, canvas, escape
from rmt_viz.figures.loss import LEGEND, LOOKS
from rmt_viz.figures.mechanisms import TITLE
from rmt_viz.figures.theme import HUES
from rmt_viz.findings.recall import EXTRAPOLATION, INTERPOLATION, WINDOW, Lines, Stretched, name

HEIGHT = 390
BELOW = {**LEGEND, "entrywidth": 0.33, "itemsizing": "trace"}


def right(
    given: Lines, reset: Lines, kinds: Sequence[str], finding: str, *, x: str, theme: str = "light"
) -> go.Figure:  # fmt: skip
    """The share of right answers against x, a line for each of these mechanisms; the first two stand out."""
    figure = canvas(finding, theme=theme, x=x, y="right answers", width=TITLE, height=HEIGHT)
    for i, kind in enumerate(kinds):
        hue, dash = LOOKS.get(kind, ("loss", "dot"))
        colour, points = HUES[theme][hue], given[kind]
        at = list(points)
        if i < 2:
            band(figure, at, [p.low for p in points.values()], [p.high for p in points.values()], colour)
            guessed = reset.get(kind, {})
            across = {one: guessed.get(one, next(iter(guessed.values()))).y for one in at} if guessed else {}
            figure.add_trace(
                go.Scatter(x=list(across), y=list(across.values()), mode="lines", showlegend=False,
                           line={"color": colour, "width": 1.2, "dash": "dot"}, hoverinfo="skip")
            )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=at, y=[p.y for p in points.values()], name=escape(name(kind)), mode="lines+markers",
                opacity=1 if i < 2 else 0.55,
                line={"color": colour, "width": 3 if i < 2 else 1.6, "dash": dash},
                marker={"size": 7 if i < 2 else 5, "symbol": SYMBOLS[i % len(SYMBOLS)]},
                customdata=[(p.low, p.high) for p in points.values()],
                hovertemplate=f"<b>{escape(name(kind))}</b><br>{escape(x)}: %{{x:,}}<br>%{{y:.1%}} "
                "(%{customdata[0]:.1%} to %{customdata[1]:.1%})<extra></extra>",
            )
        )  # fmt: skip
    every = sorted({one for kind in kinds for one in given[kind]})
    figure.update_xaxes(type="log", tickvals=every, ticktext=[f"{one:,}" for one in every], minor={"showgrid": False})
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%")
    return figure.update_layout(legend=BELOW)


def weighed(
    given: Lines, numbers: dict[str, int], kinds: Sequence[str], finding: str, *, theme: str = "light"
) -> go.Figure:  # fmt: skip
    """The share of the most facts that each mechanism gives back, against the numbers that cross a boundary.

    kinds: the two that stand out. Mechanisms that carry nothing stand at the left.
    """
    most = max((x for points in given.values() for x in points), default=1)
    figure = canvas(finding, theme=theme, x="numbers that cross a boundary", width=TITLE, height=HEIGHT,
                    y=f"right answers, {most} facts told")  # fmt: skip
    some = [numbers.get(kind, 0) for kind in given if numbers.get(kind)]
    low, high = np.floor(np.log10(min(some, default=10))), np.ceil(np.log10(max(some, default=100)))
    for kind in sorted((kind for kind in given if most in given[kind]), key=lambda kind: kind in kinds[:2]):
        point, n, stands_out = given[kind][most], numbers.get(kind, 0), kind in kinds[:2]
        colour = HUES[theme]["write" if kind == "rmt" else "read"] if stands_out else MUTED[theme]
        figure.add_trace(
            go.Scatter(
                x=[np.log10(n) if n else low - 0.7], y=[point.y], showlegend=False, cliponaxis=False,
                mode="markers+text" if stands_out else "markers", text=[f"<b>{escape(name(kind))}</b>"],
                textposition="middle left" if n and np.log10(n) > (low + high) / 2 else "middle right",
                textfont={"color": colour, "size": 13},
                error_y={"array": [point.high - point.y], "arrayminus": [point.y - point.low], "thickness": 1.2,
                         "width": 3, "color": colour},
                marker={"color": colour, "size": 13 if stands_out else 8},
                hovertemplate=f"<b>{escape(name(kind))}</b><br>{n:,} numbers<br>%{{y:.1%}} "
                f"({point.low:.1%} to {point.high:.1%})<extra></extra>",
            )
        )  # fmt: skip
    whole = np.arange(low, high + 1)
    figure.update_xaxes(tickvals=[low - 0.7, *whole], ticktext=["none", *(f"{10 ** int(x):,}" for x in whole)],
                        range=[low - 1.0, high + 0.2])  # fmt: skip
    return figure.update_yaxes(range=[-0.05, 1.05], tickformat=".0%")


def stretched(rows: Sequence[Stretched], finding: str, *, theme: str = "light") -> go.Figure:
    """The loss on windows longer than trained on: extrapolation and interpolation, as the model is and tuned."""
    figure = canvas(
        finding, theme=theme, x="window, times that of training", y="loss (nats)", width=TITLE, height=HEIGHT
    )
    looks = {EXTRAPOLATION: HUES[theme]["loss"], INTERPOLATION: HUES[theme]["knows"], WINDOW: MUTED[theme]}
    times = sorted({row.times for row in rows})
    for reads, colour in looks.items():
        for tuned in (False, True):
            some = [row for row in rows if (row.reads, row.tuned) == (reads, tuned)]
            if reads == WINDOW and some:  # the same tokens whatever the length: a level to compare with
                some = [some[0]] * len(times)
            at = times if reads == WINDOW else [row.times for row in some]
            figure.add_trace(
                go.Scatter(
                    x=at[: len(some)], y=[row.loss for row in some], name=f"{reads}{', tuned' if tuned else ''}",
                    mode="lines" if reads == WINDOW else "lines+markers",
                    line={"color": colour, "width": 2.4 if tuned else 1.8, "dash": "solid" if tuned else "dot"},
                    marker={"size": 7, "symbol": "circle" if tuned else "circle-open"},
                    error_y={"array": [row.stderr for row in some], "thickness": 1.2, "width": 3,
                             "visible": reads != WINDOW},
                    hovertemplate="×%{x}: %{y:.3f} nats<extra></extra>",
                )
            )  # fmt: skip
    figure.update_xaxes(type="log", tickvals=times, ticktext=[f"×{n}" for n in times], minor={"showgrid": False})
    return figure.update_layout(legend={**BELOW, "entrywidth": 0.5})
