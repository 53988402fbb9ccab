"""Shipped checkpoints opened as models, for the worker's thread. Torch is loaded only when one is opened."""

import gc
from pathlib import Path


def open_shipped(folder: Path, name: str):
    """The model of a shipped checkpoint, called by its name: the folder of a stage is only a number."""
    import torch

    from rmt.checkpoint import load

    torch.set_num_threads(1)
    model = load(folder)
    model.about.name = name
    gc.collect()
    gc.freeze()  # torch's objects stay for good; every collection that looked through them would delay the viewers
    return model


def open_untrained(folder: Path, seed: int):
    """A model with the configuration of a shipped checkpoint and untrained weights from a seed."""
    from rmt.checkpoint import untrained

    return untrained(folder, seed=seed)
