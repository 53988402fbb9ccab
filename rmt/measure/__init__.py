"""Measures of a trace: curves, beats, differences of runs, geometry of memory. Numpy only."""

from rmt.measure.beats import KNOWN
from rmt.measure.run import (
    Measures,
    answer_class,
    change,
    edges,
    knows,
    measure,
    pool,
    segment_loss,
    similarity,
    slot_mean,
    token_loss,
)

__all__ = [
    "KNOWN",
    "Measures",
    "answer_class",
    "change",
    "edges",
    "knows",
    "measure",
    "pool",
    "segment_loss",
    "similarity",
    "slot_mean",
    "token_loss",
]
