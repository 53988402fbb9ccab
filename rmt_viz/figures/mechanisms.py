"""Figures of Mechanisms: who sees whom, loss against numbers carried, and one text segment by segment."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.colors import find_intermediate_color, hex_to_rgb, unconvert_from_RGB_255
from plotly.subplots import make_subplots

from rmt.errors import InputError
from rmt_viz.figures.canvas import MUTED, SYMBOLS, canvas, escape, faint, ground
from rmt_viz.figures.labels import ROW, End, label_ends, label_places, name_rows
from rmt_viz.figures.loss import LOOKS
from rmt_viz.figures.theme import HUES, PAGE, apply
from rmt_viz.findings.mechanisms import (
    BYTES,
    SAVED,
    Course,
    Mechanism,
    Point,
    carried,
    family_of,
    grows,
    growth,
    name,
    size,
)

PANEL, BETWEEN = 268, 30  # pixels: a panel's height, and the room for its words
TITLE = 350  # pixels that a title may take: those of a phone
FAINT = 0.24  # of the accent, where a token shares its place with all others
OWN = -1.0  # a token's own segment, below the map's units: base-2 logarithms of how few share a place


def sight(rows: Sequence[Mechanism], finding: str, *, segments: int, theme: str = "light") -> go.Figure:
    """Who sees whom: a panel for each mechanism, with a row for each token that looks and a column for each looked at.

    rows: one or two. segments: how many the rows and columns are divided into.
    """
    if not rows:
        raise InputError("Choose a mechanism.")
    height = 100 + PANEL + BETWEEN
    titles = [f"<b>{escape(name(row))}</b><br>{carried(row)}" for row in rows]
    figure = make_subplots(1, 2, subplot_titles=titles, horizontal_spacing=0.06)
    top = max(np.log2(max(max(map(max, row.seen)) for row in rows)), 1.0)
    for i, row in enumerate(rows):
        where = {"row": 1, "col": i + 1}
        figure.add_trace(_panel(row, segments, top, theme, bar=not i), **where)
    _frame(figure, len(rows), len(rows[0].seen), segments, theme)
    base = canvas(finding, theme=theme, x="", y="", width=TITLE, height=height).layout
    margin = {**base.margin.to_plotly_json(), "t": base.margin.t + 46, "b": 40, "l": 34, "r": 96}
    figure.update_layout(title=base.title, height=height, margin=margin, hoverlabel=base.hoverlabel, font=base.font)
    for i, title in enumerate(figure.layout.annotations):
        start = figure.get_subplot(1, i + 1).xaxis.domain[0]
        title.update(font_size=12.5, yshift=4, align="left", x=start, xanchor="left")
    return apply(figure, theme).update_xaxes(showgrid=False).update_yaxes(showgrid=False)


def _panel(row: Mechanism, segments: int, top: float, theme: str, *, bar: bool) -> go.Heatmap:
    seen = np.array(row.seen, float)
    n = len(seen)
    of = np.arange(n) // (n // segments)
    own = (of[:, None] == of) & (seen > 0)
    with np.errstate(divide="ignore"):
        z = np.where(own, OWN, np.where(seen > 0, top - np.log2(seen), np.nan))
    words = np.where(own, "of its own segment", np.where(seen == 1, "as it was read", ""))
    words = np.where(seen > 1, np.char.add(np.char.add("in one place with ", (seen - 1).astype(int).astype(str)),
                                           " others"), words)  # fmt: skip
    ticks = [t for t in (0, 2, 3, 4) if t <= top]
    return go.Heatmap(
        z=z, zmin=OWN, zmax=top, xgap=0.5, ygap=0.5, colorscale=_scale(top, theme), showscale=bar, customdata=words,
        hovertemplate="token %{y} looks at token %{x}<br>%{customdata}<extra></extra>", hoverongaps=False,
        x=np.arange(1, n + 1), y=np.arange(1, n + 1),
        colorbar={
            "title": {"text": "sees", "font": {"size": 12}}, "thickness": 12, "len": 1, "outlinewidth": 0, "x": 1.01,
            "tickvals": [OWN + 0.25, *(top - t for t in ticks)], "tickfont": {"size": 12},
            "ticktext": ["own<br>segment", "a token", *(f"1 of {2**t}" for t in ticks[1:])],
        },
    )  # fmt: skip


def _scale(top: float, theme: str) -> list:
    """The colour scale: grey for the own segment, then one hue, stronger where fewer tokens share a place."""
    page, ink, _ = (hex_to_rgb(colour) for colour in PAGE[theme])
    accent = hex_to_rgb(HUES[theme]["read"])
    grey, cut = _mix(page, ink, 0.3), 0.5 / (top - OWN)
    rising = [[cut + (1 - cut) * t, _mix(page, accent, FAINT + (1 - FAINT) * t)] for t in np.linspace(0, 1, 9)]
    return [[0, grey], [cut, grey], *rising]


def _mix(one: tuple, other: tuple, share: float) -> str:
    red, green, blue = find_intermediate_color(unconvert_from_RGB_255(one), unconvert_from_RGB_255(other), share)
    return f"rgb({red * 255:.0f},{green * 255:.0f},{blue * 255:.0f})"


def _frame(figure: go.Figure, n_panels: int, n: int, segments: int, theme: str) -> None:
    """Draw the axes in segments: a tick in the middle of each, a line at each boundary."""
    width = n // segments
    ticks = {"tickvals": [width * s + (width + 1) / 2 for s in range(segments)], "ticks": "", "zeroline": False}
    ticks |= {"ticktext": [str(s + 1) for s in range(segments)], "tickfont": {"size": 12}, "range": [0.5, n + 0.5]}
    figure.update_xaxes(**ticks, constrain="domain")
    figure.update_yaxes(**{**ticks, "range": [n + 0.5, 0.5]})
    for i in range(2):
        where = {"row": 1, "col": i + 1}
        if i >= n_panels:
            figure.update_xaxes(visible=False, **where).update_yaxes(visible=False, **where)
            continue
        for s in range(1, segments):
            line = {"color": MUTED[theme], "width": 0.7, "dash": "dot"}
            figure.add_hline(s * width + 0.5, line=line, **where).add_vline(s * width + 0.5, line=line, **where)
    figure.update_xaxes(title={"text": "segment looked at", "font": {"size": 12}, "standoff": 2}, col=1)
    figure.update_yaxes(title={"text": "segment that looks", "font": {"size": 12}, "standoff": 2}, col=1)


def sizes(rows: Sequence[Mechanism], shown: Sequence[str], finding: str, *, theme: str = "light") -> go.Figure:
    """How many numbers cross a boundary in each mechanism, family by family; an arrow where they grow.

    shown: the kinds that stand out. Mechanisms that carry nothing stand at the left.
    """
    height = 110 + ROW * (len(rows) + len({family_of(row) for row in rows}))
    figure = canvas(finding, theme=theme, x="numbers that cross a boundary", y="", width=TITLE, height=height)
    places = name_rows(figure, [(family_of(row), name(row), row.mechanism in shown) for row in rows], theme)
    some = [n for row in rows for n in row.numbers if n]
    low, high = np.floor(np.log10(min(some, default=10))), np.ceil(np.log10(max(some, default=100)))
    at = lambda numbers: np.log10(numbers) if numbers else low - 0.7  # noqa: E731
    for row, place in zip(rows, places, strict=True):
        stands_out = row.mechanism in shown
        colour = HUES[theme]["write" if row.mechanism == "rmt" else "read"] if stands_out else MUTED[theme]
        ends = [at(row.numbers[0]), at(row.numbers[-1])] if grows(row) else [at(row.numbers[-1])]
        figure.add_trace(
            go.Scatter(
                x=ends, y=[place] * len(ends), mode="lines+markers", showlegend=False, cliponaxis=False,
                line={"color": colour, "width": 2},
                marker={
                    "color": colour, "size": [5, 12][-len(ends) :] if len(ends) > 1 else 12 if stands_out else 8,
                    "symbol": ["circle", "triangle-right"] if len(ends) > 1 else "circle",
                },
                hovertemplate=f"<b>{escape(name(row))}</b><br>{row.numbers[-1]:,} numbers, "
                f"{size(BYTES * row.numbers[-1])}<br>{growth(row)}<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(**powers(low, high), range=[low - 1.0, high + 0.3])
    return figure.update_layout(margin_l=8)


def powers(low: float, high: float) -> dict:
    """Ticks of an axis of numbers that cross, in logarithms: 0, 10, 100, 1k ..., short enough for a phone."""
    whole = range(int(low), int(high) + 1)
    short = lambda x: f"{10**x}" if x < 3 else f"{10 ** (x - 3)}k" if x < 6 else f"{10 ** (x - 6)}M"  # noqa: E731
    return {"tickvals": [low - 0.7, *whole], "ticktext": ["0", *map(short, whole)], "tickangle": 0}


def weight(points: Sequence[Point], finding: str, *, theme: str = "light") -> go.Figure:
    """Loss against the numbers that cross a boundary; mechanisms that carry nothing stand at the left."""
    figure = canvas(
        finding, theme=theme, x="numbers that cross a boundary", y="mean loss (nats)", width=TITLE, height=410
    )
    some = [point.numbers for point in points if point.numbers]
    low = np.floor(np.log10(min(some, default=10)))
    high = np.ceil(np.log10(max(some, default=100)))
    at = lambda numbers: np.log10(numbers) if numbers else low - 0.7  # noqa: E731
    named = {point.name: (at(point.numbers), point.loss) for point in points}
    spans = [point.loss + sign * point.stderr for point in points for sign in (-1, 1)] or [0, 1]
    room = 0.06 * (max(spans) - min(spans))
    across, up = (low - 1.5, high + 0.7), (min(spans) - room, max(spans) + room)
    where = label_places(named, across, up, 410 - 130)
    for i, point in enumerate(points):
        hue, _ = LOOKS.get(point.mechanism, ("loss", ""))
        colour = HUES[theme][hue]
        figure.add_trace(
            go.Scatter(
                x=[at(point.numbers)], y=[point.loss], name=escape(point.name), mode="markers+text", cliponaxis=False,
                text=[escape(point.name)], textposition=where[point.name], textfont={"color": colour, "size": 12.5},
                error_y={"array": [point.stderr], "thickness": 1.2, "width": 3, "color": faint(colour)},
                marker={
                    "size": 12, "symbol": SYMBOLS[i % len(SYMBOLS)], "color": colour,
                    "line": {"color": ground(theme), "width": 1},
                },
                hovertemplate=f"<b>{escape(point.name)}</b><br>{point.numbers:,} numbers"
                f"<br>%{{y:.3f}} ± {point.stderr:.3f} nats<extra></extra>",
            )
        )  # fmt: skip
    figure.update_xaxes(**powers(low, high), range=across)
    return figure.update_yaxes(range=up).update_layout(showlegend=False)


def course(
    lines: Sequence[Course], of: str, finding: str, *, words: Sequence[str] = (), theme: str = "light"
) -> go.Figure:
    """A line for each mechanism over the segments of one text. words: how each segment begins."""
    y = "nats saved" if of == SAVED else "loss (nats)"
    figure = canvas(finding, theme=theme, x="segment", y=y, width=TITLE, height=410)
    for line in lines:
        hue, dash = LOOKS.get(line.mechanism, ("loss", "dot"))
        look = {"color": HUES[theme][hue], "dash": dash, "width": 3 if line.mechanism == "rmt" else 2}
        figure.add_trace(
            go.Scatter(
                x=np.arange(1, len(line.y) + 1),
                y=line.y,
                name=escape(line.name),
                mode="lines+markers",
                line=look,
                marker={"size": 6},
                customdata=[escape(part) for part in words] or None,
                hovertemplate="segment %{x}: %{y:.3f} nats"
                + ("<br>%{customdata}" if words else "")
                + f"<extra>{escape(line.name)}</extra>",
            )
        )
    if of == SAVED:
        figure.add_hline(0, line={"color": MUTED[theme], "width": 1})
    figure.update_xaxes(dtick=1 if max((len(line.y) for line in lines), default=0) <= 16 else None)
    spans = [y for line in lines for y in line.y] or [0, 1]
    room = 0.06 * (max(spans) - min(spans))
    figure.update_yaxes(range=[min(spans) - room, max(spans) + room])
    looks = {line.mechanism: HUES[theme][LOOKS.get(line.mechanism, ("loss", ""))[0]] for line in lines}
    label_ends(figure, [End(len(line.y), line.y[-1], line.name, looks[line.mechanism]) for line in lines])
    return figure
