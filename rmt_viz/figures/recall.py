"""Figures of Mechanisms: what trained mechanisms give back of a text, and texts longer than trained on."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from rmt_viz.figures.canvas import MUTED, band, canvas, escape, faint
from rmt_viz.figures.labels import End, label_ends, label_places
from rmt_viz.figures.mechanisms import TITLE, powers
from rmt_viz.figures.theme import HUES
from rmt_viz.findings.recall import EXTRAPOLATION, INTERPOLATION, WINDOW, Lines, Stretched, name

HEIGHT = 390
PALE = 0.28  # opacity of mechanisms that do not stand out


def right(
    given: Lines, reset: Lines, kinds: Sequence[str], finding: str, *, x: str, theme: str = "light"
) -> go.Figure:  # fmt: skip
    """The share of right answers against x, a line for each mechanism; those of `kinds` stand out, with their names."""
    figure = canvas(finding, theme=theme, x=x, y="right answers", width=TITLE, height=HEIGHT)
    for kind in sorted(given, key=kind_order(kinds)):
        points, colour, stands_out = given[kind], look(kind, kinds, theme), kind in kinds
        at = list(points)
        if stands_out and kind != "none":
            band(figure, at, [p.low for p in points.values()], [p.high for p in points.values()], colour)
            guessed = reset.get(kind, {})
            across = {one: guessed.get(one, next(iter(guessed.values()))).y for one in at} if guessed else {}
            figure.add_trace(
                go.Scatter(x=list(across), y=list(across.values()), mode="lines", showlegend=False,
                           line={"color": colour, "width": 1.2, "dash": "dot"}, hoverinfo="skip")
            )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=at, y=[p.y for p in points.values()], name=escape(name(kind)), cliponaxis=False,
                mode="lines+markers" if stands_out or len(at) == 1 else "lines", opacity=1 if stands_out else PALE,
                line={"color": colour, "width": 3 if stands_out else 1.4,
                      "dash": "dash" if kind == "none" else "solid"},
                marker={"size": 7 if stands_out else 4}, customdata=[(p.low, p.high) for p in points.values()],
                hovertemplate=f"<b>{escape(name(kind))}</b><br>{escape(x)}: %{{x:,}}<br>%{{y:.1%}} "
                "(%{customdata[0]:.1%} to %{customdata[1]:.1%})<extra></extra>",
            )
        )  # fmt: skip
    every = sorted({one for points in given.values() for one in points})
    figure.update_xaxes(type="log", tickvals=every, ticktext=[f"{one:,}" for one in every], minor={"showgrid": False})
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%")
    ends = [(kind, *list(given[kind].items())[-1]) for kind in kinds if kind in given]
    label_ends(
        figure, [End(x, p.y, name(kind), look(kind, kinds, theme), kind != "none") for kind, x, p in ends], log=True
    )
    return figure


def look(kind: str, kinds: Sequence[str], theme: str) -> str:
    """The colour of a mechanism: RMT's, the chosen one's, or that of all others."""
    if kind == "rmt":
        return HUES[theme]["write"]
    return HUES[theme]["read"] if kind in kinds[:2] and kind != "none" else MUTED[theme]


def kind_order(kinds: Sequence[str]):
    """A key that sorts those that stand out last, so that they lie above the others, RMT above all."""
    return lambda kind: len(kinds) - kinds.index(kind) if kind in kinds else 0


def weighed(
    given: Lines, numbers: dict[str, int], kinds: Sequence[str], finding: str, *, theme: str = "light"
) -> go.Figure:  # fmt: skip
    """The share of the most facts that each mechanism gives back, against the numbers that cross a boundary.

    kinds: those that have their names; the first two stand out. Mechanisms that carry nothing stand at the left.
    """
    most = max((x for points in given.values() for x in points), default=1)
    figure = canvas(finding, theme=theme, x="numbers that cross a boundary", width=TITLE, height=HEIGHT,
                    y=f"right answers, {most} facts told")  # fmt: skip
    some = [numbers.get(kind, 0) for kind in given if numbers.get(kind)]
    low, high = np.floor(np.log10(min(some, default=10))), np.ceil(np.log10(max(some, default=100)))
    drawn = sorted((kind for kind in given if most in given[kind]), key=kind_order(kinds))
    at = {kind: np.log10(numbers[kind]) if numbers.get(kind) else low - 0.7 for kind in drawn}
    named = {name(kind): (at[kind], given[kind][most].y) for kind in kinds if kind in drawn}
    where = label_places(named, (low - 1.0, high + 0.2), (-0.05, 1.05), HEIGHT - 130)
    for kind in drawn:
        point, n, named_here = given[kind][most], numbers.get(kind, 0), kind in kinds
        stands_out = kind in kinds[:2] and kind != "none"
        colour = look(kind, kinds, theme)
        figure.add_trace(
            go.Scatter(
                x=[at[kind]], y=[point.y], showlegend=False, cliponaxis=False, name=escape(name(kind)),
                mode="markers+text" if named_here else "markers", opacity=1 if named_here else 2 * PALE,
                text=[f"<b>{escape(name(kind))}</b>" if stands_out else escape(name(kind))],
                textposition=where.get(name(kind)), textfont={"color": colour, "size": 13},
                error_y={"array": [point.high - point.y], "arrayminus": [point.y - point.low], "thickness": 1.2,
                         "width": 3, "color": colour if named_here else faint(colour)},
                marker={"color": colour, "size": 13 if stands_out else 8},
                hovertemplate=f"<b>{escape(name(kind))}</b><br>{n:,} numbers<br>%{{y:.1%}} "
                f"({point.low:.1%} to {point.high:.1%})<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(**powers(low, high), range=[low - 1.0, high + 0.2])
    return figure.update_yaxes(range=[-0.05, 1.05], tickformat=".0%")


def stretched(rows: Sequence[Stretched], finding: str, *, theme: str = "light") -> go.Figure:
    """The loss on windows longer than trained on: extrapolation and interpolation, as the model is and tuned."""
    figure = canvas(
        finding, theme=theme, x="window, times that of training", y="loss (nats)", width=TITLE, height=HEIGHT
    )
    ends, looks = [], {EXTRAPOLATION: HUES[theme]["loss"], INTERPOLATION: HUES[theme]["knows"], WINDOW: MUTED[theme]}
    times = sorted({row.times for row in rows})
    for reads, colour in looks.items():
        for tuned in (False, True):
            some = [row for row in rows if (row.reads, row.tuned) == (reads, tuned)]
            if reads == WINDOW and some:  # the same tokens whatever the length: a level to compare with
                some = [some[0]] * len(times)
            at = times if reads == WINDOW else [row.times for row in some]
            if some:
                ends.append(End(at[-1], some[-1].loss, f"{reads}{', tuned' if tuned else ''}", colour, tuned))
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
    spans = [row.loss + sign * row.stderr for row in rows for sign in (-1, 1)]
    room = 0.06 * (max(spans) - min(spans))
    figure.update_yaxes(range=[min(spans) - room, max(spans) + room])
    label_ends(figure, ends, log=True)
    return figure
