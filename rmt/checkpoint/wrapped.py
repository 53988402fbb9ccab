"""Wrap an untrained memory around a transformers model that the calling program has already loaded."""

import torch
from tokenizers import Tokenizer
from torch import nn

from rmt.backbone import HFBackbone
from rmt.checkpoint.build import MARKS, mark_id
from rmt.checkpoint.packages import spread
from rmt.checkpoint.whole import check_room
from rmt.errors import InputError
from rmt.memory import mechanism
from rmt.model import About, Model

WRAPPED_LENGTH = 128  # tokens a segment by default


def wrap(
    model: nn.Module,
    tokenizer=None,
    *,
    cell: str = "rmt",
    segment_length: int = WRAPPED_LENGTH,
    n_memory: int = 10,
    seed: int = 0,
    **options,
) -> Model:
    """Put a fresh memory cell around a transformers model, whose weights are used as they are and not copied.

    model: a causal or masked language model, or a sequence classifier. tokenizer: of transformers (a fast one) or of
    tokenizers; without one, documents are token ids. cell: a name of `rmt.memory.CELLS`, options: of that cell.
    For a backbone by name and for LoRA see `rmt.checkpoint.adapter`. Raises InputError for what does not fit.
    """
    if not isinstance(model, nn.Module) or not hasattr(model, "config"):
        raise InputError("Give a model of transformers; for one by its name use rmt.adapter.wrap.")
    record = mechanism(cell)
    if isinstance(segment_length, bool) or not isinstance(segment_length, int) or segment_length < 1:
        raise InputError(f"A segment holds one token or more, not {ascii(segment_length)[:40]}.")
    fast_tokenizer = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not isinstance(fast_tokenizer, Tokenizer | None):
        raise InputError("This tokenizer is not a fast one; open it with use_fast=True, or leave it out and give ids.")
    backbone = HFBackbone(model, **{key: mark_id(fast_tokenizer, names) for key, names in MARKS.items()})
    if not backbone.causal and None in (backbone.cls_id, backbone.sep_id):
        raise InputError("An encoder is read between [CLS] and [SEP]; give its tokenizer, which says which these are.")
    cell_options = {"initial_std": spread(model.get_input_embeddings()), "n_memory": n_memory, **options}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            memory = record.cell.fit(backbone, **cell_options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The memory {cell} does not fit this model ({ascii(str(error))[:120]}); check its options."
        ) from None
    labels = getattr(model.config, "id2label", None) or {}
    classes = [labels[i] for i in sorted(labels)] if backbone.head == "classify" else []
    about = About(f"{type(model).__name__}, untrained memory", classes=classes, trained=False)
    wrapped = Model(backbone, memory, segment_length=segment_length, tokenizer=fast_tokenizer, about=about).eval()
    check_room(wrapped, segment_length)
    return wrapped.to(next(model.parameters()).device)
