"""Sliding window: in every layer a token sees the tokens just before it, however segments are cut."""

from rmt.memory.base import Mechanism
from rmt.memory.transformer_xl import TransformerXL


class SlidingWindow(TransformerXL):
    """Local attention over n_memory positions and the token itself, exact across boundaries by a cache of n_memory.

    Transformer-XL's cache, but each token sees n_memory positions back at most, as under one banded mask over the whole
    text; upper layers see farther through the lower ones (Longformer, arXiv 2004.05150, section 3.1).
    """

    def __init__(self, dim: int, n_memory: int = 64, *, n_layers: int, initial_std: float = 0.0):
        super().__init__(dim, n_memory, n_layers=n_layers)
        self.window = n_memory + 1


MECHANISM = Mechanism(
    "sliding-window", SlidingWindow, fresh={"n_memory": 128}, keeps_tokens=True, encoder=False, gradient=False
)
