"""Colours of the figures for light and dark: those of the stepping surface (rmt/viewer/static/theme.js)."""

import plotly.graph_objects as go

from rmt.viewer import bundle

HUES = {
    "light": {"write": "#c24a17", "read": "#1b69ae", "change": "#664a9e", "knows": "#26764a", "loss": "#8a5a00"},
    "dark": {"write": "#ff9a66", "read": "#6db3f2", "change": "#b79cf0", "knows": "#62c48a", "loss": "#e0b050"},
}
FACTS = bundle.fact_hues()  # a hue for each fact that is followed
PAGE = {"light": ("#ffffff", "#1a2233", "#e3e7ee"), "dark": ("#10141b", "#e8ebf1", "#2b3240")}


def apply(figure: go.Figure, theme: str) -> go.Figure:
    """Set the background, text and line colours of a theme, "light" or "dark"."""
    page, ink, line = PAGE[theme]
    figure.update_layout(paper_bgcolor=page, plot_bgcolor=page, font={"color": ink, "size": 13}, bargap=0.3)
    figure.update_xaxes(gridcolor=line, zeroline=False)
    figure.update_yaxes(gridcolor=line, zerolinecolor=line)
    return figure
