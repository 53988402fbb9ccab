"""The figures of Capacity: facts held against facts told, by the order of telling, and a text of one's own."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from rmt_viz.figures.canvas import DASHES, LEGEND, MUTED, band, canvas, categories, escape, lines, note, sequential
from rmt_viz.shelf.results import Held

LOOK = {"none": "solid", "reset": "dash", "untrained": "dot"}
MOST_WORDS = 16  # facts beside which there is room for a word in each cell


def held(curves: dict[str, list[Held]], finding: str, *, theme: str = "light") -> go.Figure:
    """Facts held, corrected for guessing, against facts told; on the diagonal everything is held."""
    figure = canvas(finding, theme=theme, x="facts told", y="facts held", width=560, height=400)
    most = max((row.told for line in curves.values() for row in line), default=1)
    figure.add_trace(
        go.Scatter(x=[0, most], y=[0, most], mode="lines", line={"color": MUTED[theme], "width": 1}, showlegend=False,
                   hoverinfo="skip")
    )  # fmt: skip
    note(figure, "everything", theme=theme, x=most, y=most, xanchor="right", yanchor="bottom")
    for (name, line), hue in zip(curves.items(), _hues(curves, theme), strict=True):
        x, y = [row.told for row in line], [row.held for row in line]
        band(figure, x, [row.held_low for row in line], [row.held_high for row in line], hue)
        style = {"color": hue, "width": 2.4, "dash": LOOK[line[0].control]}
        lines(figure, x, y, escape(name), style, hover="%{x} told: %{y:.1f} held")
    return figure.update_layout(legend=LEGEND, margin_t=figure.layout.margin.t + 22 * (1 + len(curves) // 3))


def order(curves: dict[str, list[Held]], finding: str, *, theme: str = "light") -> go.Figure:
    """The share answered right of the first person told of, the second, and so on, where the most is told."""
    figure = canvas(finding, theme=theme, x="told as number", y="answered right", width=560, height=400)
    trained = {name: line for name, line in curves.items() if line[0].control == "none"}
    for i, ((name, line), hue) in enumerate(zip(trained.items(), categories(len(trained), theme), strict=True)):
        share = line[-1].by_order
        style = {"color": hue, "width": 2.4, "dash": DASHES[i % len(DASHES)]}
        lines(figure, np.arange(1, len(share) + 1), share, escape(name), style, hover="number %{x}: %{y:.1%} right")
    figure.update_yaxes(range=[-0.03, 1.03], tickformat=".0%").update_xaxes(dtick=1)
    return figure.update_layout(legend=LEGEND, margin_t=figure.layout.margin.t + 22)


def live(
    answers: np.ndarray, facts: Sequence[tuple[str, str]], classes: Sequence[str], finding: str, *,
    theme: str = "light",
) -> go.Figure:  # fmt: skip
    """P(right answer) of each person after each fact; the word is what the model answers, dimmed where it is wrong."""
    people = list(dict.fromkeys(name for name, _ in facts))
    p, words = np.full((len(people), len(facts)), np.nan), np.full((len(people), len(facts)), "", dtype=object)
    for k in range(1, len(facts) + 1):
        for name, place in dict(facts[:k]).items():
            i = people.index(name)
            p[i, k - 1] = answers[k, i, list(classes).index(place)]
            best = classes[int(answers[k, i].argmax())]
            words[i, k - 1] = best if best == place else f"✗ {best}"
    figure = canvas(finding, theme=theme, x="", y="", width=1000, height=120 + 30 * len(people))
    figure.add_trace(
        go.Heatmap(
            z=p, x=[f"{k}. {name} → {place}" for k, (name, place) in enumerate(facts, 1)], y=people, zmin=0, zmax=1,
            text=words, texttemplate="%{text}" if len(facts) <= MOST_WORDS else None, xgap=2, ygap=2,
            colorscale=sequential("knows", theme), hovertemplate="%{y}, after %{x}<br>P(right) %{z:.3f}<br>"
            "answer: %{text}<extra></extra>",
            colorbar={"title": {"text": "P(right answer)", "side": "right", "font": {"size": 13}}, "thickness": 12,
                      "outlinewidth": 0},
        )
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure.update_xaxes(type="category", showgrid=False, tickangle=-35).update_layout(margin_b=110)


def _hues(curves: dict[str, list[Held]], theme: str) -> list[str]:
    """A hue for each number of slots; its controls have the same."""
    slots = sorted({(line[0].mechanism, line[0].slots) for line in curves.values()})
    hues = categories(len(slots), theme)
    return [hues[slots.index((line[0].mechanism, line[0].slots))] for line in curves.values()]
