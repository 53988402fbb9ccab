"""Figures that do not change with each step: pure functions from arrays or a Trace to a Plotly figure."""
