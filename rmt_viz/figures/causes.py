"""What if, Facts and Why in figures: two runs apart, slots by moment, lives of facts, parts of an output."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rmt.measure.contrast import Contrast
from rmt_viz.figures.lines import MUTED, band, canvas, categories, escape
from rmt_viz.figures.theme import HUES, PAGE

CONTROL_LOOKS = {"trained": ("knows", "solid"), "reset": ("read", "dash"), "untrained": ("loss", "dot")}
SOFT = {"light": "#f1f3f7", "dark": "#1c222d"}  # of a cell where nothing is
LEGEND = {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom", "font": {"size": 12.5}}
LEGEND |= {"itemsizing": "trace"}


def apart(found: Contrast, finding: str, *, theme: str = "light") -> go.Figure:
    """Changed less as it was: P(answer), how far the memories are apart, and the loss."""
    scored = bool(np.isfinite(found.loss).any())
    rows = [*(["answer"] if found.classes else []), "memory", *(["loss"] if scored else [])]
    figure = _stacked(rows, finding, theme=theme, width=900, height=130 + 120 * len(rows))
    x = np.arange(len(found.apart))
    for name, hue, change in zip(
        found.classes, categories(len(found.classes), theme), found.after - found.before, strict=True
    ):
        _line(figure, x, change, f"Δ P({escape(name)})", {"color": hue, "width": 2.4}, 1)
    _line(figure, x, found.apart, "memories apart", {"color": HUES[theme]["change"]}, rows.index("memory") + 1)
    if scored:
        at = rows.index("loss") + 1
        figure.add_trace(
            go.Bar(x=x[1:], y=found.loss, marker_color=HUES[theme]["loss"], name="loss, changed − as it was"),
            row=at,
            col=1,
        )
    titles = {"answer": "Δ P(answer)<br>if asked", "memory": "distance of<br>the memories", "loss": "Δ loss<br>(nats)"}
    for i, row in enumerate(rows, 1):
        figure.update_yaxes(title_text=titles[row], rangemode="tozero", row=i, col=1)
    if found.classes:
        figure.update_yaxes(range=[-1.05, 1.05], row=1, col=1)
    figure.update_xaxes(title_text="after segment (0: before the first)", row=len(rows), col=1)
    return figure


def slot_map(found: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """Two maps of slot by segment: how far P(answer) falls without one slot, and with one slot alone."""
    figure = make_subplots(
        1, 2, horizontal_spacing=0.09, subplot_titles=("without this slot", "with this slot alone"), shared_yaxes=True
    )
    most = max(0.05, *(float(np.abs(np.array(found[name])).max(initial=0)) for name in ("without", "alone", "whole")))
    unit = "fall of P(answer)" if found["answer"] is not None else "rise of the loss (nats)"
    for col, name in enumerate(("without", "alone"), 1):
        rows = [*np.array(found[name], float).T, np.array(found["whole"], float)]
        names = [*(f"slot {i + 1}" for i in range(len(rows) - 1)), "all of them"]
        figure.add_trace(
            go.Heatmap(
                z=np.array(rows),
                x=[f"{s + 1}" for s in found["segments"]],
                y=names,
                coloraxis="coloraxis",
                xgap=2,
                ygap=2,
                hovertemplate="before segment %{x}, %{y}<br>%{z:.3f}<extra></extra>",
            ),
            row=1,
            col=col,
        )
    _dress(figure, finding, theme=theme, width=900, height=170 + 26 * (len(found["without"][0]) + 1))
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title_text="ablated before segment", type="category", showgrid=False)
    bar = {"title": {"text": unit, "side": "right", "font": {"size": 13}}, "thickness": 12, "outlinewidth": 0}
    figure.update_layout(coloraxis={"colorscale": _diverging(theme), "cmin": -most, "cmax": most, "colorbar": bar})
    return figure


def survival(found: dict[str, dict], finding: str, *, theme: str = "light") -> go.Figure:
    """P(answer) by segments since the fact: a line and a band for each control."""
    figure = canvas(
        finding, theme=theme, x="segments since the fact’s own", y="P(answer) if asked now", width=500, height=360
    )
    for control, document in found.items():
        rows, (hue, dash) = document["survival"], CONTROL_LOOKS[control]
        colour = HUES[theme][hue]
        band(figure, rows["distance"], rows["low"], rows["high"], colour, legendgroup=control)
        figure.add_trace(
            go.Scatter(
                x=rows["distance"],
                y=rows["mean"],
                name=control,
                mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 2.4},
                marker={"size": 5},
                legendgroup=control,
                customdata=rows["right"],
                hovertemplate=f"<b>{control}</b>, %{{x}} segments after<br>P %{{y:.3f}}, "
                "right %{customdata:.1%}<extra></extra>",
            )
        )
    figure.add_vline(0, line={"color": MUTED[theme], "dash": "dot", "width": 1})
    figure.update_yaxes(range=[-0.03, 1.03])
    return figure.update_layout(legend=LEGEND, margin_t=figure.layout.margin.t + 22)


def ledger(facts: Sequence[dict], finding: str, *, theme: str = "light") -> go.Figure:
    """P(answer) of each fact of one run if its question came now; where it is told is marked."""
    figure = canvas(
        finding, theme=theme, x="after segment (0: before the first)", y="P(answer) if asked now", width=500, height=360
    )
    for fact, hue in zip(facts, categories(len(facts), theme), strict=True):
        x = np.arange(len(fact["p"]))
        _line(figure, x, fact["p"], escape(fact["text"]), {"color": hue, "width": 2.4})
        figure.add_vline(fact["told"], line={"color": hue, "dash": "dot", "width": 1.2})
    figure.update_yaxes(range=[-0.03, 1.03])
    return figure.update_layout(legend=LEGEND, margin_t=figure.layout.margin.t + 22 * min(max(len(facts), 1), 3))


def readable(found: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """Held-out accuracy of a linear probe, slot by moment; the last column is the shuffled control after the fact."""
    probes = found["probes"]
    z, names = np.array(probes["right"]).T, [f"{m:+d}" if m else "0" for m in probes["moments"]]
    control = np.array(probes["shuffled"]).mean(0)
    figure = canvas(finding, theme=theme, x="segments since the fact’s own", y="", width=500, height=330)
    figure.add_trace(
        go.Heatmap(
            z=np.column_stack([z, control]),
            x=[*names, "shuffled"],
            y=[f"slot {i + 1}" for i in range(len(z))],
            zmin=0,
            zmax=1,
            colorscale=_sequential("read", theme),
            xgap=2,
            ygap=2,
            colorbar={
                "title": {"text": "right, held out", "side": "right", "font": {"size": 13}},
                "thickness": 12,
                "outlinewidth": 0,
                "tickformat": ".0%",
            },
            hovertemplate="%{y}, %{x}<br>%{z:.1%} right<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure.update_xaxes(type="category", showgrid=False)


def used(found: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """The share answered right after the k slots that matter most are ablated, and after k that matter least."""
    slots = found["slots"]
    figure = canvas(finding, theme=theme, x="slots ablated", y="answered right", width=500, height=330)
    for name, hue, dash in (("best", "write", "solid"), ("others", "read", "dash")):
        x, told = np.arange(len(slots[name])), {"best": "those that matter most", "others": "as many others"}[name]
        line = {"color": HUES[theme][hue], "dash": dash, "width": 2.4}
        _line(figure, x, slots[name], told, line, hover="%{x} slots: %{y:.1%} right")
    if "probes" in found:
        figure.add_hline(found["probes"]["chance"], line={"color": MUTED[theme], "dash": "dot", "width": 1})
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%").update_xaxes(dtick=1)
    return figure.update_layout(legend=LEGEND, margin_t=figure.layout.margin.t + 22)


def interference(found: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """P of the first and the second answer by segments since the second fact; one panel for each kind of it."""
    figure = make_subplots(
        1, 2, subplot_titles=("about somebody else", "about the same"), shared_yaxes=True, horizontal_spacing=0.05
    )
    for col, kind in enumerate(("another", "same"), 1):
        rows = found["interference"][kind]
        for name, hue in (("first", "knows"), ("second", "write")):
            colour = HUES[theme][hue]
            figure.add_trace(
                go.Scatter(
                    x=rows["distance"], y=rows[name]["mean"], name=f"the {name} fact",
                    legendgroup=name, showlegend=col == 1,
                    mode="lines+markers", line={"color": colour, "width": 2.4}, marker={"size": 5},
                    hovertemplate=f"the {name} fact<br>P %{{y:.3f}}<extra></extra>",
                ), row=1, col=col,
            )  # fmt: skip
        figure.add_vline(0, line={"color": MUTED[theme], "dash": "dot", "width": 1}, row=1, col=col)
    _dress(figure, finding, theme=theme, width=1000, height=330)
    figure.update_xaxes(title_text="segments since the second")
    figure.update_yaxes(range=[-0.03, 1.03])
    figure.update_yaxes(title_text="P(answer) if asked now", col=1)
    return figure.update_layout(legend={**LEGEND, "y": 1.09}, margin_t=figure.layout.margin.t + 26)


def parts(
    values: Sequence[float], names: Sequence[str], finding: str, *, x: str, y: str, theme: str = "light", **size
) -> go.Figure:
    """Signed parts of an output as bars."""
    figure = canvas(finding, theme=theme, x=x, y=y, **size)
    hues = [HUES[theme]["knows" if value >= 0 else "write"] for value in values]
    figure.add_trace(
        go.Bar(x=list(names), y=list(values), marker_color=hues, hovertemplate="%{x}: %{y:.3f}<extra></extra>")
    )
    figure.update_xaxes(type="category", showgrid=False)
    return figure.update_yaxes(zeroline=True)


def local_and_memory(found: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """What the last segment alone says of each class, and what memory adds."""
    figure = canvas(finding, theme=theme, x="logit", y="", width=430, height=330)
    names = [escape(name) for name in found["classes"]]
    for key, told, hue in (("local", "the last segment alone", "loss"), ("memory", "what memory adds", "knows")):
        figure.add_trace(
            go.Bar(
                y=names, x=found[key], name=told, orientation="h", marker_color=HUES[theme][hue],
                hovertemplate="%{y}: %{x:.2f}<extra>" + told + "</extra>",
            )
        )  # fmt: skip
    figure.update_layout(barmode="group", legend=LEGEND, margin_t=figure.layout.margin.t + 22)
    return figure.update_yaxes(autorange="reversed", showgrid=False)


def _line(
    figure: go.Figure, x, y, name: str, line: dict, row: int | None = None, hover: str = "%{x}: %{y:.3f}"
) -> None:
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


def _stacked(rows: Sequence[str], finding: str, *, theme: str, width: int, height: int) -> go.Figure:
    figure = make_subplots(len(rows), 1, shared_xaxes=True, vertical_spacing=0.09)
    _dress(figure, finding, theme=theme, width=width, height=height)
    return figure.update_layout(legend={"orientation": "v", "y": 1, "font": {"size": 12.5}})


def _dress(figure: go.Figure, finding: str, *, theme: str, width: int, height: int) -> None:
    """A figure of several panels in the look of one."""
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


def _diverging(theme: str) -> list:
    return [[0, HUES[theme]["read"]], [0.5, SOFT[theme]], [1, HUES[theme]["write"]]]


def _sequential(hue: str, theme: str) -> list:
    return [[0, SOFT[theme]], [1, HUES[theme][hue]]]
