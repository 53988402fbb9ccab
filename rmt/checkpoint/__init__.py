"""Open, inspect and save checkpoints: ours, other programs', and a memory stored apart from its pretrained backbone."""

from rmt.checkpoint.open import inspect, load, untrained
from rmt.checkpoint.whole import save

__all__ = ["inspect", "load", "save", "untrained"]
