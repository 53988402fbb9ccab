"""Build a model with fresh weights from its configuration, and check that a configuration is safe to build."""

from pathlib import Path

from tokenizers import Tokenizer
from torch import Tensor, nn

from rmt.backbone import HFBackbone
from rmt.checkpoint.stock import HEADS, LABELS, stock_config
from rmt.checkpoint.weights import read_json
from rmt.errors import InputError
from rmt.memory import CELLS
from rmt.model import About, Model
from rmt.model.model import ANSWERS
from rmt.text.tokenizer import CLS, SEP

FORMAT = "rmt-checkpoint-1"
ADAPTER = "rmt-adapter-1"  # see rmt.checkpoint.adapter
TOKENIZER, SHARED_TOKENIZER = "tokenizer.json", "../tokenizer.json"  # the only two places where a tokenizer may be
MARKS = {"cls_id": (CLS, "<s>"), "sep_id": (SEP, "</s>")}  # an encoder's marks and their names in tokenizers
LONGEST = 10_000_000  # tokens of a segment
COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")


def build(config: dict, tokenizer: Tokenizer | None = None, *, stock: nn.Module | None = None) -> Model:
    """Build a model with fresh weights from its config.json; `load` fills them, the untrained control keeps them.

    stock: the transformers model to build around, by default a fresh one.
    """
    spec = config["backbone"]
    if stock is None:
        stock = HEADS[spec["head"]].from_config(stock_config(spec["config"]), trust_remote_code=False)
    marks = {key: spec.get(key, mark_id(tokenizer, names)) for key, names in MARKS.items()}
    backbone = HFBackbone(stock, **marks, eager=bool(spec.get("eager", False)))
    check_width(backbone, config["cell"]["kind"])
    cell = CELLS[config["cell"]["kind"]].fit(backbone, **config["cell"]["options"])
    about = About(task=config.get("task"), classes=config.get("classes", []), trained=False, config=config)
    about.answers = config.get("answers", "one")
    return Model(
        backbone,
        cell,
        segment_length=config["segment_length"],
        alignment=config.get("alignment", "left"),
        tokenizer=tokenizer,
        about=about,
    ).eval()


def check_width(backbone: HFBackbone, cell: str) -> None:
    """Raise InputError where states are not as wide as word embeddings, beside which a memory is read."""
    if cell != "none" and backbone.dim != backbone.width:
        raise InputError(
            f"The word embeddings of this {type(backbone.model).__name__} are {backbone.dim} wide and its states "
            f"{backbone.width}: a state cannot be read again beside words, so no memory fits around it. It runs "
            "without."
        )


def mark_id(tokenizer: Tokenizer | None, names: tuple[str, ...]) -> int | None:
    """The id of the first of these tokens that the tokenizer has, None where it has none."""
    ids = [tokenizer.token_to_id(name) for name in names] if tokenizer else []
    return next((i for i in ids if i is not None), None)


def read_config(folder: Path) -> dict:
    """Read a checkpoint folder's config.json and check all that `build` relies on."""
    file = folder / "config.json"
    if not file.is_file():
        raise InputError(f"{folder} is not a checkpoint: it has no config.json. Give the folder of a run.")
    config = read_json(file)
    if config.get("format") != FORMAT:
        raise InputError(f"{file} is not of the format {FORMAT!r}; train or convert it first.")
    return check_config(config, folder)


def tokenizer_file(folder: Path, config: dict) -> Path | None:
    """Find the folder's tokenizer, or the shared one beside the folder; no other path is ever followed."""
    shares = config.get("tokenizer") == SHARED_TOKENIZER
    file = folder.resolve().parent / TOKENIZER if shares else folder / TOKENIZER
    return file if file.is_file() else None


def check_config(config: dict, place: Path) -> dict:
    """Check a configuration and return it. Raises InputError where a part that `build` relies on is wrong."""
    check_memory(config, place)
    backbone = config.get("backbone")
    if (
        not isinstance(backbone, dict)
        or backbone.get("head") not in tuple(HEADS)  # which compares: a list has no hash to be looked up by
        or not isinstance(backbone.get("config"), dict)
    ):
        raise InputError(f"{place} does not say what its backbone is; copy its config.json again.")
    if not isinstance(backbone["config"].get("model_type"), str):
        raise InputError(f"{place} has a backbone without model_type; copy its config.json again.")
    check_counts({key: backbone["config"][key] for key in COUNTS if key in backbone["config"]}, place)
    marks = {key: backbone[key] for key in MARKS if backbone.get(key) is not None}
    if any(type(mark) is not int or mark < 0 for mark in marks.values()):
        raise InputError(f"{place} has marks of an encoder that are no tokens: {ascii(marks)[:60]}.")
    return config


def check_memory(config: dict, place: Path) -> None:
    """Check the part of a configuration about the memory cell and how documents are cut into segments."""
    cell = config.get("cell")
    if not isinstance(cell, dict) or not isinstance(cell.get("options"), dict) or cell.get("kind") not in [*CELLS]:
        kind = cell.get("kind") if isinstance(cell, dict) else cell
        raise InputError(f"{place} has the memory cell {ascii(kind)[:40]}; this version knows {', '.join(CELLS)}.")
    counts = {k: v for k, v in cell["options"].items() if k.startswith("n_") or isinstance(v, int)}
    check_counts(counts, place)
    length, classes = config.get("segment_length"), config.get("classes", [])
    if length is not None and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
        raise InputError(f"{place} has segments of {ascii(length)[:40]} tokens; a segment holds one token or more.")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise InputError(f"{place} has classes that are not words: {ascii(classes)[:60]}; copy its config.json again.")
    if len(classes) > LABELS or (length or 0) > LONGEST:
        raise InputError(f"{place} has {len(classes)} classes and segments of {length} tokens, which is impossible.")
    if not isinstance(config.get("task"), str | None):
        raise InputError(f"{place} has the task {ascii(config['task'])[:40]}, which is no word.")
    odd = [name for name, v in cell["options"].items() if not isinstance(v, str | int | float | None) or v != v]
    if odd:
        raise InputError(f"{place} has an option of its memory that is no number or word: {ascii(odd[0])[:40]}.")
    if config.get("alignment", "left") not in ("left", "right", "center"):
        raise InputError(f"{place} has an alignment that cannot be read; copy its config.json again.")
    if config.get("answers", "one") not in ANSWERS:
        raise InputError(f"{place} answers in a way that this version does not know; it knows {', '.join(ANSWERS)}.")


def check_counts(counts: dict, place: Path) -> None:
    """Check counts of layers and memory tokens before anything is built: a huge number would never finish."""
    for name, count in counts.items():
        if not isinstance(count, int) or not 0 <= count <= 10_000:
            raise InputError(f"{place} has an impossible number in its configuration: {name} is {ascii(count)[:40]}.")


def shared(model: nn.Module) -> dict[str, list[str]]:
    """Map the first name of every tensor of a state dict to all its names; tied tensors have several."""
    names: dict[int, list[str]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
    return {group[0]: group for group in names.values()}


def unshared(model: nn.Module) -> dict[str, Tensor]:
    """The state dict with tied tensors under their first name alone."""
    state = model.state_dict()
    return {name: state[name].contiguous() for name in shared(model)}
