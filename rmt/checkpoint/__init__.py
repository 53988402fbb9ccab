"""Opening, inspecting and saving models: ours, other programs', and memory beside a pretrained backbone."""

from rmt.checkpoint.open import inspect, load, untrained
from rmt.checkpoint.whole import save

__all__ = ["inspect", "load", "save", "untrained"]
