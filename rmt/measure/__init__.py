"""Measures of a trace: curves, beats, differences of runs, geometry of memory. Numpy only."""

from rmt.measure.beats import KNOWN
from rmt.measure.followed import Followed
from rmt.measure.run import (
    Measures,
    answer_class,
    change,
    edges,
    knows,
    measure,
    pool,
    question_of,
    segment_loss,
    similarity,
    slot_mean,
    token_loss,
)

__all__ = [
    "KNOWN",
    "Followed",
    "Measures",
    "answer_class",
    "change",
    "edges",
    "knows",
    "measure",
    "pool",
    "question_of",
    "segment_loss",
    "similarity",
    "slot_mean",
    "token_loss",
]
