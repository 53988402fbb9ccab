"""Opening a checkpoint, and saying what it is: a whole model, ours or another program's, or memory beside a backbone.

Other programs' are recognised in `rmt.checkpoint.recognise`; nothing pickled is ever run.
"""

from pathlib import Path

import torch

from rmt.checkpoint import whole
from rmt.checkpoint.adapter import fresh_adapter, inspect_adapter, is_adapter, load_adapter
from rmt.checkpoint.locate import locate
from rmt.checkpoint.report import Report
from rmt.errors import InputError
from rmt.model import Model


def load(path, *, device=None, segment_length: int | None = None, backbone=None, options: dict | None = None) -> Model:
    """Open a checkpoint, ours or another program's, as a model ready to run.

    path: a folder, a file of weights, or a repository of the hub. device: CUDA where there is one, by default.
    segment_length: tokens a segment, instead of the checkpoint's own; needed where it has none.
    backbone: a folder with config.json, or a name like "gpt2", for weights without a configuration beside them.
    options: of the memory, where no file holds them: n_memory, retrieve, correction, alignment, lora_alpha.
    Raises InputError with a sentence for anything that cannot be opened; nothing in a file is ever run.
    """
    folder = locate(path)
    given = {"segment_length": segment_length, "backbone": backbone}
    if _is_adapter(folder, options):
        return load_adapter(folder, device=device, **given)
    return whole.load(folder, path, device=device, options=options, **given)


def inspect(path, *, segment_length: int | None = None, backbone=None, options: dict | None = None) -> Report:
    """Say what a checkpoint is, and what is missing to run it, without building it.

    Every number in it is read once. Raises InputError for what `load` could not open whatever else it was given.
    """
    folder = locate(path)
    given = {"segment_length": segment_length, "backbone": backbone}
    return (
        inspect_adapter(folder, **given)
        if _is_adapter(folder, options)
        else whole.inspect(folder, options=options, **given)
    )


def untrained(
    path, *, seed: int = 0, device=None, segment_length: int | None = None, backbone=None, options: dict | None = None
) -> Model:
    """The control: the same checkpoint's shape with weights that never saw a step of training.

    Of a memory kept beside a pretrained backbone it is the memory, with its adapters and head, that is fresh.
    """
    folder, given = locate(path), {"segment_length": segment_length, "backbone": backbone}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if _is_adapter(folder, options):
            model = fresh_adapter(folder, **given)
        else:
            model = whole.fresh(folder, path, seed=seed, options=options, **given)
    model.about.fingerprint = f"untrained-{seed}"
    return whole.place(model, device)


def _is_adapter(folder: Path, options: dict | None) -> bool:
    found = is_adapter(folder)
    if found and options:
        raise InputError(f"{folder} says itself what its memory is; leave out its options.")
    return found
