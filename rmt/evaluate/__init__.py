"""Scores: accuracy by length, loss by position, mechanisms side by side."""

from rmt.evaluate.accuracy import CONTROLS, EVALUATION, PRECISIONS, evaluate
from rmt.tasks.interval import wilson

__all__ = ["CONTROLS", "EVALUATION", "PRECISIONS", "evaluate", "wilson"]
