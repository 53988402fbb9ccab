"""Figures of Facts: survival of facts, where slots can be read and are used, and interference."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from rmt_viz.figures.canvas import LEGEND, MUTED, band, canvas, categories, dress, escape, lines, sequential
from rmt_viz.figures.theme import FACTS, HUES

ENTRY = 20  # pixels of a line of a legend
CONTROL_LOOKS = {"trained": ("knows", "solid"), "reset": ("read", "dash"), "untrained": ("loss", "dot")}


def survival(documents: dict[str, dict], finding: str, *, theme: str = "light") -> go.Figure:
    """P(answer) by segments since the fact: a line and a band for each control."""
    figure = canvas(
        finding, theme=theme, x="segments since the fact’s own", y="P(answer) if asked now", width=500, height=360
    )
    for control, document in documents.items():
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
    """P(answer) of each fact of one run if its question came now; dotted lines mark where each is told."""
    figure = canvas(
        finding, theme=theme, x="after segment (0: before the first)", y="P(answer) if asked now", width=500, height=360
    )
    for fact, plain in zip(facts, categories(len(facts), theme), strict=True):
        who, end = fact.get("who"), fact.get("replaced")
        hue = plain if who is None else FACTS[theme][who % len(FACTS[theme])]
        p = fact["p"] if end is None else fact["p"][: end + 1]
        lines(figure, np.arange(len(p)), p, escape(fact["text"]), {"color": hue, "width": 2.4})
        figure.add_vline(fact["told"], line={"color": hue, "dash": "dot", "width": 1.2})
    figure.update_yaxes(range=[-0.03, 1.03])
    room = ENTRY * len(facts)  # each on a line of its own, above the lines that it names
    legend = {**LEGEND, "orientation": "v", "tracegroupgap": 0}
    return figure.update_layout(legend=legend, margin_t=figure.layout.margin.t + room, height=300 + room)


def readable(document: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """Held-out accuracy of a linear probe, slot by moment; the last column is the shuffled control after the fact."""
    probes = document["probes"]
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
            colorscale=sequential("read", theme),
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


def used(document: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """The share answered right after the k slots that matter most are ablated, and after k that matter least."""
    slots = document["slots"]
    figure = canvas(finding, theme=theme, x="slots ablated", y="answered right", width=500, height=330)
    for name, hue, dash in (("best", "write", "solid"), ("others", "read", "dash")):
        x, label = np.arange(len(slots[name])), {"best": "those ranked first", "others": "as many others"}[name]
        line = {"color": HUES[theme][hue], "dash": dash, "width": 2.4}
        lines(figure, x, slots[name], label, line, hover="%{x} slots: %{y:.1%} right")
    if "probes" in document:
        figure.add_hline(document["probes"]["chance"], line={"color": MUTED[theme], "dash": "dot", "width": 1})
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%").update_xaxes(dtick=1)
    return figure.update_layout(legend=LEGEND, margin_t=figure.layout.margin.t + 22)


def interference(document: dict, finding: str, *, theme: str = "light") -> go.Figure:
    """P of the first and the second answer by segments since the second fact; a panel for each kind of second."""
    figure = make_subplots(
        1, 2, subplot_titles=("about somebody else", "about the same"), shared_yaxes=True, horizontal_spacing=0.05
    )
    for col, kind in enumerate(("another", "same"), 1):
        rows = document["interference"][kind]
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
    dress(figure, finding, theme=theme, width=1000, height=330)
    figure.update_xaxes(title_text="segments since the second")
    figure.update_yaxes(range=[-0.03, 1.03])
    figure.update_yaxes(title_text="P(answer) if asked now", col=1)
    return figure.update_layout(legend={**LEGEND, "y": 1.09}, margin_t=figure.layout.margin.t + 26)
