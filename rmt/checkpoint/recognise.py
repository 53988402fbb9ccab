"""Recognise state dicts of other programs by their keys and shapes, and map their tensor names to ours."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from rmt.backbone.internals import Conv1D, WeightRenaming, get_model_conversion_mapping
from rmt.checkpoint.weights import Weights
from rmt.errors import InputError

# Models with keys like ours that compute something else: loading one would give wrong numbers.
STRANGERS = {
    r"^armt\.": "an ARMT of 2025, which computes another function than the published one of 2024 (normalised keys)",
    r"^model\..*\.W_mq\.": "an ARMT of 2025, which computes another function than the published one of 2024",
    r"^embed_summary\.": "an AutoCompressor, whose summaries take no positions",
    r"^recurrent_wrapper\.": "a port of RMT with other positions for its memory",
}
PACKAGE = "RMT of recurrent-memory-transformer-pytorch"  # see rmt.checkpoint.package_rmt
OLD_BUFFERS = re.compile(r"(\.attn\.bias|\.attention\.bias|masked_bias|inv_freq|position_ids)$")
LM_MARKS = ("cls_token", "sep_token", "eos_token", "bos_token", "mem_token_ids")
RETRIEVAL = {
    "q_proj": "query", "k_proj": "key", "v_proj": "value", "o_proj": "output", "fc_1": "grow", "fc_2": "shrink",
    "ln_q": "norm_state", "ln_kv": "norm_past", "ln_mlp": "norm_mlp",
}  # fmt: skip
ASSOCIATIVE = {"W_mq": "query", "W_mk": "key", "W_mv": "value", "W_mb": "gate"}
LORA = re.compile(r"(.*)\.lora_([AB])\.(?:\w+\.)?weight$")


@dataclass(frozen=True)
class Foreign:
    """The kind of a recognised state dict; `cell` and `options` are the memory cell here that its shapes imply."""

    kind: str
    cell: str
    prefix: str = ""
    options: dict = field(default_factory=dict)
    alignment: str = "left"
    marks: dict = field(default_factory=dict)  # cls_id and sep_id, where the file holds them
    lora: int = 0  # rank of its adapters


@dataclass(frozen=True)
class Source:
    """The source of one of our tensors in a file: a tensor (or equal copies), a range of its rows, a LoRA to add."""

    names: tuple[str, ...]
    first: int = 0  # rows first to last of them
    last: int | None = None
    adapter: tuple[str, str] | None = None  # names of LoRA's A and B
    transposed: bool = False  # whether the layer stores its weight as (in, out)

    def read(self, weights: Weights, scale: float | None) -> Tensor:
        """Read the tensor, with the adapter times `scale` added. Raises InputError where the copies differ."""
        tensor = weights.tensor(self.names[0])
        for other in self.names[1:]:
            if not torch.equal(tensor, weights.tensor(other)):
                raise InputError(
                    f"{self.names[0]} and {other} are one tensor in this model and differ in {weights.files[0].name}; "
                    "the file was put together from two runs, or its config.json wrongly ties word embeddings."
                )
        if self.adapter:
            a, b = (weights.tensor(name).float() for name in self.adapter)
            change = (b @ a).T if self.transposed else b @ a
            tensor = tensor.float() + scale * change
        return tensor[self.first : self.last] if self.first or self.last else tensor


def recognise(weights: Weights) -> Foreign:
    """Recognise the kind of a state dict. Raises InputError for a kind that is known and cannot be run here."""
    shapes = weights.shapes
    for pattern, description in STRANGERS.items():
        if any(re.search(pattern, name) for name in shapes):
            raise InputError(f"{weights.files[0].name} holds {description}; this program does not run it.")
    lora = max((shapes[name][0] for name in shapes if ".lora_A." in name and shapes[name]), default=0)
    mark = next((name for name in shapes if re.fullmatch(r"(\w+\.)*read_memory_emb", name)), None)
    if mark is not None:
        return Foreign(
            PACKAGE, "rmt", mark.removesuffix("read_memory_emb"), {"n_memory": _rows(weights, mark), "separate": True}
        )
    if any(name.startswith("memory_cell.") for name in shapes):
        prefix, rows = "memory_cell.model.", _rows(weights, "memory_cell.memory")
        if any(".W_mq." in name for name in shapes):
            return Foreign("ARMT", "armt", prefix, {"n_memory": rows, **_associative(weights)}, lora=lora)
        if "q_proj.weight" in shapes:
            return Foreign("RMT-R", "rmt-r", prefix, {"n_read": rows}, lora=lora)
        return Foreign("decoder RMT", "rmt", prefix, {"n_memory": rows}, lora=lora)
    if "mem_token_ids" in shapes and any(name.startswith("model.bert.") for name in shapes):
        options = {"n_memory": _rows(weights, "mem_token_ids")}
        return Foreign("BERT RMT classifier", "rmt", "model.", options, alignment="right", marks=_marks(weights))
    if "memory" in shapes and any(name.startswith("model.") for name in shapes):
        options = {"n_memory": _rows(weights, "memory")}
        return Foreign("decoder RMT of the older class", "rmt", "model.", options, alignment="right", lora=lora)
    return Foreign("model without memory", "none", lora=lora)


def _rows(weights: Weights, name: str) -> int:
    """Return the number of rows of a memory tensor, 0 where there is none. Raises InputError for a count too large."""
    shape = weights.shapes.get(name, (0,))
    if not shape or shape[0] > 10_000:
        raise InputError(f"{weights.files[0].name} has {name} in the shape {shape}; that is no memory.")
    return shape[0]


def _marks(weights: Weights) -> dict[str, int]:
    """Return the token ids of [CLS] and [SEP], which the file holds as tensors of one number."""
    marks = {}
    for mark in ("cls", "sep"):
        tensor = weights.tensor(f"{mark}_token") if weights.shapes.get(f"{mark}_token") == (1,) else None
        if tensor is not None and not tensor.is_floating_point():
            marks[f"{mark}_id"] = int(tensor)
    return marks


def _associative(weights: Weights) -> dict:
    """Return ARMT's options that its shapes imply: layers, and the width of keys."""
    layers = {int(m[1]): name for name in weights.shapes if (m := re.search(r"\.(\d+)\.W_mq\.weight$", name))}
    return {"n_layers": len(layers), "d_memory": max((_rows(weights, name) for name in layers.values()), default=0)}


def translate(foreign: Foreign, weights: Weights, stock: nn.Module) -> tuple[dict[str, Source], list[str]]:
    """Map our tensor names to their sources in the file; return also the file's tensors that have no place here.

    stock: the transformers model, on the meta device: its names and layers decide what the file's names mean.
    """
    wanted = set(stock.state_dict())
    layers = next(
        name
        for name, module in stock.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == stock.config.num_hidden_layers
    )
    rename = _renamer(foreign, wanted, layers, stock.base_model_prefix, renamings(stock))
    names, adapters, extra = {}, {}, []
    for name in weights.shapes:
        match = LORA.match(name)
        ours = rename(f"{match[1]}.weight" if match else name)
        if ours is None or (match and not ours.startswith("backbone.model.")):
            extra.append(name)
        elif match:
            adapters.setdefault(ours, {})[match[2]] = name
        else:
            names.setdefault(ours, []).append(name)
    sources = {ours: Source(tuple(theirs)) for ours, theirs in names.items()}
    for ours, pair in adapters.items():
        sources[ours] = _adapted(ours, sources.get(ours), pair, weights, stock)
    if foreign.kind == "BERT RMT classifier":
        _split_embeddings(sources, foreign.options["n_memory"], weights)
    return sources, extra


def _adapted(ours: str, base: Source | None, pair: dict, weights: Weights, stock: nn.Module) -> Source:
    """Add LoRA's A (r, in) and B (out, r) to the source of a tensor. Raises InputError where the shapes do not fit."""
    transposed = isinstance(stock.get_submodule(ours.removeprefix("backbone.model.").rpartition(".")[0]), Conv1D)
    shapes = [weights.shapes[pair[part]] if part in pair else () for part in "AB"]
    wanted = weights.shapes[base.names[0]] if base else ()
    if any(len(shape) != 2 for shape in (*shapes, wanted)) or shapes[0][0] != shapes[1][1]:
        fits = False
    else:
        fits = (shapes[1][0], shapes[0][1]) == (wanted[::-1] if transposed else wanted)
    if not fits:
        raise InputError(f"{weights.files[0].name} has an adapter that does not fit {ours}; give the whole checkpoint.")
    return replace(base, adapter=(pair["A"], pair["B"]), transposed=transposed)


def spare(name: str) -> bool:
    """Whether a tensor without a place here can be left out: a mask or mark that older versions stored."""
    return name in LM_MARKS or OLD_BUFFERS.search(name) is not None


def renamings(stock: nn.Module) -> list[Callable[[str], str]]:
    """Return functions from an old tensor name to its present one, for what transformers renamed in this family."""
    rules = [rule for rule in get_model_conversion_mapping(stock) or [] if isinstance(rule, WeightRenaming)]

    def renamed(name: str) -> str:
        for rule in rules:
            name, _ = rule.rename_source_key(name)
        return name

    return [renamed] if rules else []


def _renamer(
    foreign: Foreign, wanted: set[str], layers: str, base: str, renames: list[Callable[[str], str]]
) -> Callable[[str], str | None]:
    """Return a function from a tensor name in the file to ours, or to None where it has none. renames: `renamings`."""

    def cell(name: str) -> str | None:
        if name == "memory_cell.memory" or (name == "memory" and foreign.prefix == "model."):
            return "cell.memory"
        module, _, leaf = name.rpartition(".")
        if foreign.cell == "rmt-r" and module in RETRIEVAL:
            return f"cell.{RETRIEVAL[module]}.{leaf}"
        match = re.search(r"\.(\d+)\.(W_m\w)\.(weight|bias)$", name)
        if foreign.cell == "armt" and match and match[2] in ASSOCIATIVE:
            return f"cell.{ASSOCIATIVE[match[2]]}.{match[1]}.{match[3]}"
        return None

    def backbone(name: str) -> str | None:
        if foreign.cell == "armt":
            name = re.sub(r"^memory_cell\.layers\.", f"{foreign.prefix}{layers}.", name)
            name = re.sub(r"(\.\d+)\.layer\.", r"\1.", name)
        if not name.startswith(foreign.prefix):
            return None
        name = name.removeprefix(foreign.prefix).removeprefix("base_model.model.")
        name = name.replace(".base_layer.", ".").replace("LayerNorm.gamma", "LayerNorm.weight")
        name = name.replace("LayerNorm.beta", "LayerNorm.bias")
        if foreign.kind == "BERT RMT classifier" and name == "embeddings.weight":
            name = f"{base}.embeddings.word_embeddings.weight"
        for candidate in (name, f"{base}.{name}", *(f(name) for f in renames)):  # a trunk alone is saved unprefixed
            if candidate in wanted:
                return f"backbone.model.{candidate}"
        return None

    return lambda name: cell(name) or backbone(name)


def _split_embeddings(sources: dict[str, Source], n_memory: int, weights: Weights) -> None:
    """Split BERT's word embeddings, whose last rows are the memory tokens, into words and the cell's memory."""
    words = next((name for name in sources if name.endswith("embeddings.word_embeddings.weight")), None)
    names = sources[words].names if words else ()
    n_words = min((weights.shapes[name][0] for name in names if weights.shapes[name]), default=0) - n_memory
    if n_words < 1 or weights.tensor("mem_token_ids").tolist() != list(range(n_words, n_words + n_memory)):
        raise InputError(f"{weights.files[0].name} keeps its memory elsewhere than in the last word embeddings.")
    sources[words] = Source(names, last=n_words)
    sources["cell.memory"] = Source(names, first=n_words)
