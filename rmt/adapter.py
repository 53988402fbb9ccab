"""Memory around a pretrained backbone, under the name that programs import: see `rmt.checkpoint.adapter`."""

from rmt.checkpoint.adapter import WRAPPED_LENGTH, add_lora, load_adapter, save_adapter, wrap

__all__ = ["WRAPPED_LENGTH", "add_lora", "load_adapter", "save_adapter", "wrap"]
