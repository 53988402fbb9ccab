"""Wrap an untrained memory around a transformers model that the calling program has already loaded."""

import torch
from torch import nn

from rmt.backbone import HFBackbone
from rmt.checkpoint import trial
from rmt.checkpoint.build import MARKS, check_width
from rmt.checkpoint.from_model import check_marks, check_stock, mark, merged
from rmt.checkpoint.heads import answers_of
from rmt.checkpoint.packages import spread
from rmt.checkpoint.whole import check_room
from rmt.errors import InputError
from rmt.memory import mechanism
from rmt.model import About, Model
from rmt.text.tokenizer import vocabulary_of

WRAPPED_LENGTH = 128  # tokens a segment by default


def wrap(
    model: nn.Module,
    tokenizer=None,
    *,
    cell: str = "rmt",
    segment_length: int = WRAPPED_LENGTH,
    n_memory: int = 10,
    seed: int = 0,
    special_tokens: bool = True,
    **options,
) -> Model:
    """Put a fresh memory cell around a transformers model, whose weights are used as they are and not copied.

    model: a causal or masked language model, or a sequence classifier; one of peft is merged, in a copy. tokenizer: of
    transformers (a fast one) or of tokenizers; without one, documents are token ids. cell: a name of
    `rmt.memory.CELLS`, options: of that cell. special_tokens: whether a text begins and ends as the tokenizer has it.
    For a backbone by name and for LoRA see `rmt.checkpoint.adapter`. Raises InputError for what does not fit.
    """
    if isinstance(model, str):
        raise InputError("Give a model of transformers; for one by its name use rmt.adapter.wrap.")
    check_stock(model)
    record = mechanism(cell)
    if isinstance(segment_length, bool) or not isinstance(segment_length, int) or segment_length < 1:
        raise InputError(f"A segment holds one token or more, not {ascii(segment_length)[:40]}.")
    vocabulary = vocabulary_of(tokenizer)
    model = merged(model) if hasattr(model, "peft_config") else model
    backbone = HFBackbone(model, **{key: mark(key, names, vocabulary, model) for key, names in MARKS.items()})
    check_marks(backbone)
    check_width(backbone, cell)
    cell_options = {"initial_std": spread(model.get_input_embeddings()), "n_memory": n_memory, **options}
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            memory = record.cell.fit(backbone, **cell_options)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The memory {cell} does not fit this model ({ascii(str(error))[:120]}); check its options."
        ) from None
    classes, answers = answers_of(model.config) if backbone.head == "classify" else ([], "one")
    about = About(f"{type(model).__name__}, untrained memory", classes=classes, trained=False, answers=answers)
    words = vocabulary and vocabulary.tokenizer
    wrapped = Model(backbone, memory, segment_length=segment_length, tokenizer=words, about=about).eval()
    if vocabulary and backbone.causal and special_tokens:
        wrapped.around = (vocabulary.before, vocabulary.after)
    check_room(wrapped, segment_length)
    wrapped.to(next(model.parameters()).device)
    trial.run(wrapped)
    return wrapped
