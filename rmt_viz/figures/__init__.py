"""Figures that do not change with each step: pure functions, arrays or a Trace in, a plotly Figure out."""
