"""Parts that figures share: a title with the finding, colours for many lines, a line with its band."""

import re
from collections.abc import Sequence
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from rmt_viz.figures.theme import HUES, PAGE, apply

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross")
MUTED = {"light": "#5f6878", "dark": "#98a1b2"}
UNIFORM = {"light": (0.0, 0.78), "dark": (0.25, 0.95)}  # the part of viridis that stands out from the page
BAND = 0.15  # opacity
FONT = "Source Sans, Source Sans Pro, sans-serif"  # Streamlit's own, where it is to be had
LETTER = 7.4  # pixels of a letter of the title, near enough to break its lines
SOFT = {"light": "#f1f3f7", "dark": "#1c222d"}  # of a cell where nothing is
LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom", "font": {"size": 12.5}}
LEGEND |= {"itemsizing": "trace"}


def canvas(finding: str, *, theme: str, x: str, y: str, width: int = 620, height: int = 400) -> go.Figure:
    """An empty figure with title and axis titles. width: pixels that the title may take before it breaks."""
    lines = wrap(finding, max(int(width / LETTER), 20))
    figure = go.Figure()
    figure.update_layout(
        title={
            "text": "<br>".join(map(escape, lines)),
            "font": {"size": 15, "weight": 600},
            "x": 0, "xref": "container", "xanchor": "left", "y": 1, "yref": "container", "yanchor": "top",
            "pad": {"l": 4, "t": 8 if len(lines) == 1 else 19},  # Plotly lifts a title of several lines by so much
        },
        height=height,
        margin={"t": 22 + 20 * len(lines), "b": 54, "l": 66, "r": 12},
        legend={"orientation": "v", "font": {"size": 12.5}, "tracegroupgap": 4, "itemsizing": "constant"},
        hovermode="closest",
        hoverlabel={"align": "left", "font": {"size": 13}},
    )  # fmt: skip
    figure.update_xaxes(title={"text": x, "standoff": 8, "font": {"size": 13}})
    figure.update_yaxes(title={"text": y, "standoff": 8, "font": {"size": 13}})
    apply(figure, theme)
    return figure.update_layout(font={"family": FONT})


def categories(n: int, theme: str) -> list[str]:
    """Colours of n lines that have no order; their dashes and symbols tell them apart, too."""
    hues = [HUES[theme][name] for name in ("read", "write", "knows", "change", "loss")]
    return [hues[i % len(hues)] for i in range(n)]


def steps(n: int, theme: str) -> list[str]:
    """Colours of n lines that have an order, from a perceptually uniform colour map."""
    low, high = UNIFORM[theme]
    return sample_colorscale("Viridis", np.linspace(low, high, max(n, 2))[:n].tolist(), colortype="rgb")


def band(figure: go.Figure, x: Sequence, low: Sequence, high: Sequence, colour: str, **where) -> None:
    """Draw the area between low and high; it has no hover text and no legend entry, and is hidden with its line."""
    around = [*x, *list(x)[::-1]], [*high, *list(low)[::-1]]
    figure.add_trace(
        go.Scatter(
            x=around[0],
            y=around[1],
            fill="toself",
            fillcolor=faint(colour),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            **where,
        )
    )


def note(figure: go.Figure, text: str, *, theme: str, **where) -> None:
    """Draw a small remark in the figure."""
    figure.add_annotation(text=escape(text), showarrow=False, font={"size": 12, "color": MUTED[theme]}, **where)


def ground(theme: str) -> str:
    """The background colour of a theme."""
    return PAGE[theme][0]


def faint(colour: str) -> str:
    """A colour, "#rrggbb" or "rgb(…)", with the opacity of bands."""
    digits = re.findall(r"[0-9a-f]{2}", colour[1:]) if colour.startswith("#") else re.findall(r"[\d.]+", colour)
    red, green, blue = (int(d, 16) if colour.startswith("#") else round(float(d)) for d in digits[:3])
    return f"rgba({red},{green},{blue},{BAND})"


def escape(text: str) -> str:
    """Text with the characters escaped that Plotly would read as tags; names from files are text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def lines(
    figure: go.Figure, x, y, name: str, line: dict, row: int | None = None, hover: str = "%{x}: %{y:.3f}"
) -> None:
    """Draw a line with its points, in a row of panels where one is given."""
    where = {} if row is None else {"row": row, "col": 1}
    trace = go.Scatter(
        x=x,
        y=y,
        name=name,
        mode="lines+markers",
        line=line,
        marker={"size": 5},
        hovertemplate=f"{hover}<extra>{name}</extra>",
    )
    figure.add_trace(trace, **where)


def dress(figure: go.Figure, finding: str, *, theme: str, width: int, height: int) -> None:
    """Give a figure of several panels the look of `canvas`."""
    base = canvas(finding, theme=theme, x="", y="", width=width, height=height).layout
    margin = {**base.margin.to_plotly_json(), "t": base.margin.t + 26}
    figure.update_layout(
        title=base.title, height=height, margin=margin, hoverlabel=base.hoverlabel, font=base.font,
        paper_bgcolor=base.paper_bgcolor, plot_bgcolor=base.plot_bgcolor, bargap=0.3,
    )  # fmt: skip
    _, ink, line = PAGE[theme]
    figure.update_xaxes(gridcolor=line, zeroline=False, title_font_size=13)
    figure.update_yaxes(gridcolor=line, zerolinecolor=line, title_font_size=13)
    figure.update_annotations(font={"size": 13, "color": ink})


def readable(hue: str, theme: str) -> list:
    """A colour scale from neutral to a hue, on all of which text in the page's colour can be read."""
    return [[0, SOFT[theme]], [1, mix(SOFT[theme], HUES[theme][hue], 0.55)]]


def mix(one: str, other: str, share: float) -> str:
    """A colour between two colours "#rrggbb"."""
    pairs = [(int(one[i : i + 2], 16), int(other[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def diverging(theme: str) -> list:
    """A colour scale from the hue of read over neutral to the hue of write."""
    return [[0, HUES[theme]["read"]], [0.5, SOFT[theme]], [1, HUES[theme]["write"]]]


def sequential(hue: str, theme: str) -> list:
    """A colour scale from neutral to a hue."""
    return [[0, SOFT[theme]], [1, HUES[theme][hue]]]
