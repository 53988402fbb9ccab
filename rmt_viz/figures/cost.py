"""Figures of Cost: operations against length (the paper's Figure 2), conventions side by side, measurements."""

from collections.abc import Mapping, Sequence
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from rmt.cost import OPT, Sizes
from rmt_viz.figures.canvas import MUTED, SYMBOLS, canvas, categories, escape, ground, note, steps
from rmt_viz.figures.loss import LOOKS
from rmt_viz.figures.theme import HUES
from rmt_viz.findings.cost import IN_PAPER, Count, agrees, ratios, title
from rmt_viz.shelf.results import Measured

PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"))
MANY = 10  # labels of an axis
NAME = 24  # letters of a way of counting on one line
UNITS = {"seconds": "time (seconds)", "peak_bytes": "peak memory (bytes)"}
LEGEND = {"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "entrywidthmode": "fraction", "entrywidth": 0.32}
MODELS = {"orientation": "v", "x": 1.02, "y": 1, "font": {"size": 12}}


def operations(
    tokens: np.ndarray, methods: Mapping[str, np.ndarray], finding: str, *, log: bool = True, theme: str = "light"
) -> go.Figure:
    """Floating-point operations of each method, the first one dashed."""
    figure = canvas(finding, theme=theme, x="length (tokens)", y="operations", width=430, height=390)
    for name, values in methods.items():
        line = {**look(name, theme), "width": 2.8}
        figure.add_trace(
            go.Scatter(
                x=tokens,
                y=values,
                name=escape(title(name)),
                mode="lines",
                line=line,
                hovertemplate="%{x:,} tokens: %{y:.3s} operations<extra>" + escape(title(name)) + "</extra>",
            )
        )
    if log:
        figure.update_xaxes(type="log", dtick=1, tickformat="~s").update_yaxes(
            type="log", dtick=3, exponentformat="power"
        )
    figure.update_yaxes(exponentformat="power", minor={"showgrid": False})
    return figure.update_layout(legend={**LEGEND, "entrywidth": 0.45})


def look(method: str, theme: str) -> dict:
    """Colour and dash of a method's line: those that its mechanism has on every page; full attention is grey."""
    if method.startswith("full attention"):
        return {"color": MUTED[theme], "dash": "dot" if "fused" in method else "dash"}
    hue, dash = LOOKS.get(method.lower().replace(" ", "-"), ("loss", "dot"))
    return {"color": HUES[theme][hue], "dash": dash}


def conventions(
    counts: Sequence[Count], models: Sequence[Sizes], finding: str, *, segment: int, chosen: int, theme: str = "light"
) -> go.Figure:
    """A row for each way of counting, a dot for each model, lines at the paper's two ratios. chosen: the row in use."""
    figure = canvas(finding, theme=theme, x="operations of full attention ÷ operations of RMT", y="", height=390)
    rows, values = list(range(len(counts))), np.stack([ratios(count, models, segment) for count in counts])
    for row in rows:
        colour = HUES[theme]["write"] if row == chosen else MUTED[theme]
        line = {"color": colour, "width": 3 if row == chosen else 1}
        ends = [values[row].min(), values[row].max()]
        figure.add_trace(go.Scatter(x=ends, y=[row, row], mode="lines", line=line, hoverinfo="skip", showlegend=False))
    known = sum(sizes.name in OPT for sizes in models)
    hues = [*steps(known, theme), *categories(len(models) - known, theme)]
    for i, (sizes, colour) in enumerate(zip(models, hues, strict=True)):
        symbol, size = ("circle", 10) if sizes.name in OPT else ("star", 14)
        figure.add_trace(
            go.Scatter(
                x=values[:, i],
                y=rows,
                name=escape(sizes.name),
                mode="markers",
                marker={"size": size, "symbol": symbol, "color": colour, "line": {"color": ground(theme), "width": 1}},
                customdata=rows,
                text=[escape(count.name) for count in counts],
                hovertemplate="%{text}<br>×%{x:.1f}<extra>" + escape(sizes.name) + "</extra>",
            )
        )
    for name, times in IN_PAPER.items():
        figure.add_vline(times, line={"color": MUTED[theme], "dash": "dot", "width": 1})
        note(figure, f"paper: ×{times}, {name}", theme=theme, x=np.log10(times), y=1, yref="paper", yanchor="bottom")
    names = ["<br>".join(map(escape, wrap(count.name, NAME))) for count in counts]
    names = [f"<b>{name}</b>" if agrees(c, segment) else name for name, c in zip(names, counts, strict=True)]
    figure.update_yaxes(tickvals=rows, ticktext=names, range=[len(counts) - 0.5, -0.6], automargin=True)
    figure.update_yaxes(showgrid=False, zeroline=False)
    figure.update_xaxes(type="log", tickvals=[10, 20, 50, 100, 200, 500], tickprefix="×", tickangle=0)
    return figure.update_layout(margin_t=figure.layout.margin.t + 16, legend=MODELS)


def measured(
    methods: Mapping[str, Sequence[Measured]],
    field: str,
    finding: str,
    *,
    missing: Sequence[tuple[str, int]] = (),
    log: bool = True,
    theme: str = "light",
) -> go.Figure:
    """Time or peak memory against length.

    field: "seconds" or "peak_bytes". missing: (method, tokens) of runs that did not fit into memory.
    """
    figure = canvas(finding, theme=theme, x="length (tokens)", y=UNITS[field], width=500, height=370)
    for i, (name, rows) in enumerate(methods.items()):
        line = {**look(name, theme), "width": 2.5}
        values = [getattr(row, field) for row in rows]
        symbol = SYMBOLS[i % len(SYMBOLS)]
        for tokens in (tokens for of, tokens in missing if of == name):
            figure.add_trace(
                go.Scatter(
                    x=[rows[-1].tokens, tokens],
                    y=[values[-1], values[-1]],
                    mode="lines+markers",
                    line={"color": line["color"], "width": 1, "dash": "dot"},
                    marker={"symbol": ["circle", f"{symbol}-open"], "size": [0, 11], "color": line["color"]},
                    hovertemplate="%{x:,} tokens: it did not fit<extra>" + escape(title(name)) + "</extra>",
                    showlegend=False,
                )
            )
        figure.add_trace(
            go.Scatter(
                x=[row.tokens for row in rows],
                y=values,
                name=escape(title(name)),
                mode="lines+markers",
                line=line,
                marker={"size": 9, "symbol": symbol, "line": {"color": ground(theme), "width": 1}},
                hovertemplate="%{x:,} tokens: %{y:.3s}"
                + ("s" if field == "seconds" else "B")
                + f"<extra>{escape(title(name))}"
                "</extra>",
            )
        )
    unit = "s" if field == "seconds" else "B"
    if log:
        at = _ticks([getattr(row, field) for rows in methods.values() for row in rows])
        figure.update_xaxes(type="log", dtick=1)
        figure.update_yaxes(type="log", tickvals=at, ticktext=[_si(x, unit) for x in at], minor={"showgrid": False})
    else:
        figure.update_yaxes(tickformat="~s", ticksuffix=unit, rangemode="tozero")
    figure.update_xaxes(tickformat="~s")
    return figure.update_layout(legend={**LEGEND, "entrywidth": 0.48})


def _ticks(values: Sequence[float]) -> list[float]:
    """Round numbers in the range of the values for a log axis, few enough that labels do not touch."""
    decades = range(int(np.floor(np.log10(min(values)))), int(np.ceil(np.log10(max(values)))) + 1)
    for digits in (range(1, 10), (1, 2, 5), (1,)):
        ticks = [digit * 10.0**e for e in decades for digit in digits]
        ticks = [x for x in ticks if min(values) / 1.3 <= x <= 1.3 * max(values)]
        if len(ticks) < MANY:
            break
    return ticks


def _si(x: float, unit: str) -> str:
    """A number with its unit: 20 ms or 1 GB."""
    factor, prefix = next(((f, p) for f, p in PREFIXES if x >= 0.999 * f), PREFIXES[-1])
    return f"{x / factor:g} {prefix}{unit}"
