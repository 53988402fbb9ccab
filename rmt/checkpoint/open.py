"""Open or inspect a checkpoint: a whole model, ours or another program's, or a memory stored apart from its backbone.

Other programs' checkpoints are recognised in `rmt.checkpoint.recognise`; no pickled code is ever run.
"""

from os import PathLike
from pathlib import Path

import torch

from rmt.checkpoint import whole
from rmt.checkpoint.adapter import fresh_adapter, inspect_adapter, is_adapter, load_adapter
from rmt.checkpoint.from_model import from_model
from rmt.checkpoint.locate import locate
from rmt.checkpoint.report import Report
from rmt.errors import InputError
from rmt.model import Model


def load(
    path,
    *,
    device=None,
    segment_length: int | None = None,
    backbone=None,
    options: dict | None = None,
    tokenizer=None,
) -> Model:
    """Open a checkpoint, ours or another program's, as a model ready to run.

    path: a folder, a file of weights, a repository of the hub, or a model of transformers or peft that is already open,
        with its tokenizer (where it has none, documents are token ids). device: CUDA where there is one, by default.
    segment_length: tokens a segment, instead of the checkpoint's own; needed where it has none.
    backbone: a folder with config.json, or a name like "gpt2", for weights without a configuration beside them.
    options: of the memory, where no file holds them: n_memory, retrieve, correction, alignment, lora_alpha;
        special_tokens, False to leave out what a stock model's tokenizer puts around a text; own_state, True to read
        a stock recurrent net with the state of its own in place of memory tokens.
    Raises InputError with a sentence for anything that cannot be opened; nothing in a file is ever run.
    """
    if not isinstance(path, str | PathLike):
        if backbone is not None:
            raise InputError("A model that is given is its own backbone; leave out backbone=.")
        return from_model(path, tokenizer, segment_length=segment_length, device=device, options=options)
    if tokenizer is not None:
        raise InputError("A checkpoint brings its own tokenizer; leave out tokenizer=, or put it beside the weights.")
    folder = locate(path)
    shared_options = {"segment_length": segment_length, "backbone": backbone}
    if _is_adapter(folder, options):
        return load_adapter(folder, device=device, **shared_options)
    return whole.load(folder, path, device=device, options=options, **shared_options)


def inspect(path, *, segment_length: int | None = None, backbone=None, options: dict | None = None) -> Report:
    """Report what a checkpoint is and what is missing to run it; if nothing is, one segment is read and recorded.

    Raises InputError for a checkpoint that `load` could not open whatever its other arguments.
    """
    folder = locate(path)
    shared_options = {"segment_length": segment_length, "backbone": backbone}
    return (
        inspect_adapter(folder, **shared_options)
        if _is_adapter(folder, options)
        else whole.inspect(folder, options=options, **shared_options)
    )


def untrained(
    path, *, seed: int = 0, device=None, segment_length: int | None = None, backbone=None, options: dict | None = None
) -> Model:
    """Build the untrained control: the model of a checkpoint with fresh weights.

    Around a pretrained backbone only the memory, its adapters and its head are fresh.
    """
    folder, shared_options = locate(path), {"segment_length": segment_length, "backbone": backbone}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if _is_adapter(folder, options):
            model = fresh_adapter(folder, **shared_options)
        else:
            model = whole.fresh(folder, path, seed=seed, options=options, **shared_options)
    model.about.fingerprint = f"untrained-{seed}"
    return whole.place(model, device)


def _is_adapter(folder: Path, options: dict | None) -> bool:
    """Whether a folder holds a memory apart from its backbone. Raises InputError where it does and has options, too."""
    adapter = is_adapter(folder)
    if adapter and options:
        raise InputError(f"{folder} says itself what its memory is; leave out its options.")
    return adapter
