"""The older path of `rmt.checkpoint.adapter`, memory around a pretrained backbone, for programs that import it."""

from rmt.checkpoint.adapter import WRAPPED_LENGTH, add_lora, load_adapter, save_adapter, wrap

__all__ = ["WRAPPED_LENGTH", "add_lora", "load_adapter", "save_adapter", "wrap"]
