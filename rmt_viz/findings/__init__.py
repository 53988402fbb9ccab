"""Findings: what a figure shows, as a sentence and as columns of numbers. No torch, no Streamlit."""
