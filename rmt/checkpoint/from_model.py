"""Make a model without memory of a transformers or peft model that the calling program has already loaded."""

from copy import deepcopy

from torch import Tensor, nn

from rmt.backbone import HFBackbone
from rmt.checkpoint import trial
from rmt.checkpoint.build import MARKS, mark_id
from rmt.checkpoint.heads import answers_of
from rmt.checkpoint.own_state import own_cell
from rmt.checkpoint.whole import check_room, place
from rmt.errors import InputError
from rmt.memory import CELLS
from rmt.model import About, Model
from rmt.text.tokenizer import Vocabulary, vocabulary_of

LENGTH = 128  # tokens a segment by default


def from_model(
    hf_model: nn.Module,
    tokenizer=None,
    *,
    segment_length: int | None = None,
    device=None,
    options: dict | None = None,
) -> Model:
    """Make a model that reads segment by segment with the same weights, which are shared and not changed.

    Adapters of peft are merged in a copy. Raises InputError for a model that cannot be run here.
    """
    told = {"special_tokens": True, "own_state": False, **(options or {})}
    if told.keys() != {"special_tokens", "own_state"}:
        raise InputError("A model that is given has two options to be told, special_tokens and own_state.")
    stock = merged(hf_model) if hasattr(hf_model, "peft_config") else shared_copy(hf_model)
    check_stock(stock)
    vocabulary = vocabulary_of(tokenizer)
    backbone = HFBackbone(stock, **{key: mark(key, names, vocabulary, stock) for key, names in MARKS.items()})
    check_marks(backbone)
    classes, answers = answers_of(stock.config) if backbone.head == "classify" else ([], "one")
    name = type(stock).__name__
    kind = own_cell(stock.config.model_type, told["own_state"] is True, f"This {name}")
    about = About(name, classes=classes, answers=answers, config={"cell": {"kind": kind, "options": {}}})
    cell = CELLS[kind].fit(backbone)
    room = backbone.n_positions and backbone.n_positions - cell.room(backbone.causal)
    length = segment_length or min(LENGTH, room or LENGTH)
    model = Model(
        backbone, cell, segment_length=length, tokenizer=vocabulary and vocabulary.tokenizer, about=about
    ).eval()
    if vocabulary and backbone.causal and told["special_tokens"]:
        model.around = (vocabulary.before, vocabulary.after)
    check_room(model, length)
    trial.run(model)
    return place(model, device or next(hf_model.parameters()).device)


def mark(key: str, names: tuple[str, ...], vocabulary: Vocabulary | None, stock: nn.Module) -> int | None:
    """Find the id of an encoder's mark: from the tokenizer's settings, its vocabulary, or the model's configuration."""
    from_tokenizer = (getattr(vocabulary, key, None), mark_id(vocabulary and vocabulary.tokenizer, names))
    return next(
        (i for i in (*from_tokenizer, getattr(stock.config, f"{key[:3]}_token_id", None)) if isinstance(i, int)), None
    )


def check_stock(model) -> None:
    """Raise InputError for anything but an unquantized model of transformers or peft."""
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
    """Raise InputError for an encoder whose [CLS] and [SEP] are unknown."""
    if not backbone.causal and None in (backbone.cls_id, backbone.sep_id):
        raise InputError("An encoder is read between [CLS] and [SEP]; give its tokenizer, which says which these are.")


def shared_copy(model: nn.Module) -> nn.Module:
    """Copy a model's modules around the same weights, so that changes to one copy's modules do not reach the other."""
    check_stock(model)
    if any(tensor.is_meta for tensor in model.parameters()):
        raise InputError(
            f"This {type(model).__name__} has weights that are not in memory (meta tensors); load them first."
        )
    memo = {id(p): nn.Parameter(p.data, requires_grad=False) for p in model.parameters()}
    memo |= {id(b): b for b in model.buffers()}
    # What a forward pass left on a module (RecurrentGemma's states) may hang on a gradient graph, which is not copied.
    memo |= {id(t): t.detach() for module in model.modules() for t in vars(module).values() if isinstance(t, Tensor)}
    return deepcopy(model, memo).eval()


def merged(model: nn.Module) -> nn.Module:
    """Copy a peft model's base model with its adapters merged. Raises InputError where they cannot be."""
    merge = getattr(model, "merge_and_unload", None)
    kinds = {str(getattr(c.peft_type, "value", c.peft_type)) for c in model.peft_config.values()}
    not_mergeable = InputError(
        f"The adapter of this model ({', '.join(sorted(kinds))}) cannot be merged into its weights, so it is not "
        "run here."
    )
    if merge is None:
        raise not_mergeable
    try:
        return deepcopy(model).merge_and_unload().eval()
    except (AttributeError, NotImplementedError, ValueError):
        raise not_mergeable from None
