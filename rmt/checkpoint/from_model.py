"""A transformers or peft model that is already in a program's hands, as a model of ours without memory."""

from copy import deepcopy

from torch import nn

from rmt.backbone import HFBackbone
from rmt.checkpoint import trial
from rmt.checkpoint.build import MARKS, mark_id
from rmt.checkpoint.heads import answers_of
from rmt.checkpoint.whole import check_room, place
from rmt.errors import InputError
from rmt.memory import CELLS
from rmt.model import About, Model
from rmt.text.tokenizer import Vocabulary, vocabulary_of

LENGTH = 128  # tokens a segment, where nobody says


def from_model(
    given: nn.Module,
    tokenizer=None,
    *,
    segment_length: int | None = None,
    device=None,
    options: dict | None = None,
) -> Model:
    """The same model, read segment by segment. What was given stays as it is: its weights are shared, not changed.

    Adapters of peft are merged in a copy. Raises InputError for what cannot be read here.
    """
    special = {"special_tokens": True, **(options or {})}
    if special.keys() != {"special_tokens"}:
        raise InputError("A model that is given has one option to be told, special_tokens; leave out the others.")
    stock = merged(given) if hasattr(given, "peft_config") else shared_copy(given)
    check_stock(stock)
    words = vocabulary_of(tokenizer)
    backbone = HFBackbone(stock, **{key: mark(key, names, words, stock) for key, names in MARKS.items()})
    check_marks(backbone)
    classes, answers = answers_of(stock.config) if backbone.head == "classify" else ([], "one")
    name = type(stock).__name__
    about = About(name, classes=classes, answers=answers, config={"cell": {"kind": "none", "options": {}}})
    cell = CELLS["none"].fit(backbone)
    room = backbone.n_positions and backbone.n_positions - cell.room(backbone.causal)
    length = segment_length or min(LENGTH, room or LENGTH)
    model = Model(backbone, cell, segment_length=length, tokenizer=words and words.tokenizer, about=about).eval()
    if words and backbone.causal and special["special_tokens"]:
        model.around = (words.before, words.after)
    check_room(model, length)
    trial.run(model)
    return place(model, device or next(given.parameters()).device)


def mark(key: str, names: tuple[str, ...], words: Vocabulary | None, stock: nn.Module) -> int | None:
    """The id of an encoder's mark: as its tokenizer says, or is spelled in it, or as its configuration says."""
    told = (getattr(words, key, None), mark_id(words and words.tokenizer, names))
    return next((i for i in (*told, getattr(stock.config, f"{key[:3]}_token_id", None)) if isinstance(i, int)), None)


def check_stock(model) -> None:
    if not isinstance(model, nn.Module) or not hasattr(model, "config") or not hasattr(model.config, "model_type"):
        raise InputError(
            f"A {type(model).__name__} is no model of transformers or peft; give one of those, or the path of a "
            "checkpoint."
        )
    if getattr(model, "is_quantized", False) or getattr(model, "hf_quantizer", None) is not None:
        raise InputError(
            f"This {type(model).__name__} is quantized, and only plain numbers are run here; call its dequantize() "
            "first."
        )


def check_marks(backbone: HFBackbone) -> None:
    if not backbone.causal and None in (backbone.cls_id, backbone.sep_id):
        raise InputError("An encoder is read between [CLS] and [SEP]; give its tokenizer, which says which these are.")


def shared_copy(model: nn.Module) -> nn.Module:
    """The same modules anew around the same numbers, so that nothing done to the one is seen in the other."""
    check_stock(model)
    if any(tensor.is_meta for tensor in model.parameters()):
        raise InputError(
            f"This {type(model).__name__} has weights that are not in memory (meta tensors); load them first."
        )
    memo = {id(p): nn.Parameter(p.data, requires_grad=False) for p in model.parameters()}
    memo |= {id(b): b for b in model.buffers()}
    return deepcopy(model, memo).eval()


def merged(model: nn.Module) -> nn.Module:
    """The base model of a peft model with its adapters merged, in a copy of all numbers."""
    merge = getattr(model, "merge_and_unload", None)
    kinds = {str(getattr(c.peft_type, "value", c.peft_type)) for c in model.peft_config.values()}
    wrong = InputError(
        f"The adapter of this model ({', '.join(sorted(kinds))}) cannot be merged into its weights, so it is not "
        "run here."
    )
    if merge is None:
        raise wrong
    try:
        return deepcopy(model).merge_and_unload().eval()
    except (AttributeError, NotImplementedError, ValueError):
        raise wrong from None
