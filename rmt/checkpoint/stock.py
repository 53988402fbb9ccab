"""Stock models: the transformers class of a configuration, and weights put into it by transformers' loader.

The loader knows every name that a tensor of its families ever had (renamed heads, separate experts, missing
prefixes). It is given tensors that `rmt.checkpoint.weights` has read, never a folder, so it opens no file and runs no
code of one.
"""

import re
from dataclasses import dataclass

import torch
import transformers
from torch import Tensor, nn
from transformers import (
    CONFIG_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)

from rmt.backbone.internals import class_of_config
from rmt.checkpoint.weights import Weights
from rmt.errors import InputError
from rmt.text.outside import quiet

HEADS = {
    "lm": AutoModelForCausalLM,
    "mlm": AutoModelForMaskedLM,
    "classify": AutoModelForSequenceClassification,
    "none": AutoModel,
}
# Keys of a configuration that are dropped, as they change how a model is built: types, kernels, quantisation, code.
NOT_OURS = (
    "dtype", "torch_dtype", "attn_implementation", "_attn_implementation", "quantization_config", "auto_map",
    "fusion_config", "transformers_weights", "experts_implementation", "_experts_implementation", "base_model_tp_plan",
    "distributed_config", "output_attentions", "output_hidden_states", "return_dict", "gradient_checkpointing",
)  # fmt: skip
# Families without softmax attention in any layer, of which there is no mechanism in `rmt.memory` either.
RECURRENT = ("falcon_mamba", "xlstm", "fnet")
LAYERS, LABELS, WIDTH, WORDS = 10_000, 100_000, 1_000_000, 50_000_000  # more than any model has
SIZES = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "num_attention_heads", "n_head",
                     "n_heads", "num_key_value_heads", "num_experts", "num_local_experts", "n_routed_experts"), LAYERS),
    **dict.fromkeys(("num_labels", "_num_labels", "type_vocab_size"), LABELS),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "dim", "embedding_size", "intermediate_size", "n_inner",
                     "d_ff", "ffn_dim", "hidden_dim", "head_dim", "word_embed_proj_dim"), WIDTH),
    **dict.fromkeys(("vocab_size", "max_position_embeddings", "n_positions", "n_ctx"), WORDS),
}  # fmt: skip
PARTS = re.compile(r"text|vision|audio|image|speech|encoder|decoder|vq|global|backbone|qformer|codec")


def stock_config(config: dict) -> PretrainedConfig:
    """Make a configuration of transformers from its JSON. Raises InputError for an unknown family or a wrong value."""
    check_sizes(config)
    options = {key: _floats(value) for key, value in config.items() if key not in NOT_OURS}
    family = options.pop("model_type")
    if family not in CONFIG_MAPPING:
        code = config.get("auto_map")
        why = "It brings code of its own (auto_map), and no code of a folder is run here. " if code else ""
        raise InputError(
            f"Its configuration names the family {ascii(family)[:60]}, which transformers {transformers.__version__} "
            f"does not have. {why}Families that transformers has built in can be run."
        )
    try:
        return AutoConfig.for_model(family, **options)
    except Exception as error:  # a wrong value can make a configuration raise anything
        raise InputError(
            f"transformers makes no {family} configuration of it ({ascii(str(error))[:160]}); look at its config.json."
        ) from None


def check_sizes(config: dict) -> None:
    """Raise InputError for a size of a wrong type, a negative or an absurd one, before anything is made as large.

    A configuration of transformers makes a name for each label, and its layers are made in a loop.
    """
    for name, most in SIZES.items():
        values = config.get(name)
        for value in values if isinstance(values, list) else [values]:
            if value is None or (type(value) is int and 0 <= value <= most):
                continue
            raise InputError(
                f"Its configuration has an impossible number: {name} is {ascii(value)[:40]}, where whole numbers "
                f"from 0 to {most:,} make sense; look at its config.json."
            )


def _floats(value):
    """Convert a configuration value in which transformers wrote infinity or NaN as {"__float__": "Infinity"}."""
    if isinstance(value, dict):
        tag = value.get("__float__") if len(value) == 1 else None
        odd = isinstance(tag, str) and tag in ("NaN", "Infinity", "-Infinity")
        return float(tag) if odd else {key: _floats(item) for key, item in value.items()}
    return [_floats(item) for item in value] if isinstance(value, list) else value


def model_class(config: PretrainedConfig, head: str) -> type | None:
    """The class of transformers for a family and head, None where there is none."""
    mapping = HEADS[head]._model_mapping
    return class_of_config(config, mapping) if type(config) in mapping else None


def stock_class(name) -> type | None:
    """The class of transformers that `architectures` names, None where there is none or it is not exported."""
    if not isinstance(name, str) or not name.isidentifier() or name.startswith("_"):
        return None
    cls = getattr(transformers, name, None)
    if cls is None:  # a class that is not exported is only in the module of its family
        return None
    return cls if isinstance(cls, type) and issubclass(cls, nn.Module) else None


def unreadable(config: PretrainedConfig) -> str | None:
    """The sentence that says why models of this family are not run here; None where nothing is known against them."""
    family = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        return (
            f"This is a {family}: an encoder and a decoder in two halves. A document is read here by one stack of "
            "layers, a decoder or an encoder, so this family is not run."
        )
    if family in RECURRENT:
        return (
            f"This is a {family}: its layers have no softmax attention (they mix tokens by a recurrence or a "
            "transform), and this program has no memory of its kind, so this family is not run."
        )
    parts = [n for n in getattr(config, "sub_configs", {}) if PARTS.search(n) and getattr(config, n, None) is not None]
    classes = [c for c in (model_class(config, head) for head in HEADS) if c is not None]
    if any("text" in name for name in parts):
        return (
            f"This is a {family}: a model of several parts ({', '.join(parts)}), of which text is one. Only models of "
            "text alone are run here; save its text model as a folder of its own."
        )
    if parts and (not classes or getattr(classes[0], "main_input_name", "input_ids") == "input_ids"):
        return (
            f"This is a {family}: a model of several parts ({', '.join(parts)}). Only models of one part, which reads "
            "text, are run here."
        )
    if not classes:
        return (
            f"This is a {family}, a part of a larger model or of another kind than text: transformers' automatic "
            "classes open no language model, classifier or plain trunk of that family, and only those are run here."
        )
    inputs = getattr(classes[0], "main_input_name", "input_ids")
    if inputs != "input_ids":
        return f"This is a {family}: it reads {inputs} and not tokens of text, so it is not run here."
    return None


@dataclass(frozen=True)
class Fit:
    """How the tensors of a file fit a class: names that the file lacks, extra names, and names of another shape.

    empty: the model on the meta device.
    """

    empty: nn.Module
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    wrong: tuple[str, ...]


def fit(cls: type, config: PretrainedConfig, weights: Weights) -> Fit:
    """Compare a file's tensors with a class on the meta device: nothing is read and nothing allocated."""
    shapes, dtypes = weights.shapes, weights.dtypes
    kinds = {name: d if isinstance(d, torch.dtype) else torch.uint8 for name, d in dtypes.items()}
    empty = {name: torch.empty(shape, dtype=kinds[name], device="meta") for name, shape in shapes.items()}
    model, info = _load(cls, config, empty, device_map="meta")
    names = {key: [n if isinstance(n, str) else n[0] for n in info[key]] for key in info}
    return Fit(model, *(tuple(sorted(names[f"{key}_keys"])) for key in ("missing", "unexpected", "mismatched")))


def fill(cls: type, config: PretrainedConfig, weights: Weights) -> nn.Module:
    """Load a stock model with its weights, in float32 on the CPU."""
    return _load(cls, config, {name: weights.tensor(name) for name in weights.shapes})[0]


def _load(cls: type, config: PretrainedConfig, state: dict[str, Tensor], **options) -> tuple[nn.Module, dict]:
    """Let transformers put a state dict into a model: (model, its loading info)."""
    loader_options = {"output_loading_info": True, "ignore_mismatched_sizes": True, "dtype": torch.float32, **options}
    with quiet(), torch.random.fork_rng(devices=[]):
        return cls.from_pretrained(None, config=config, state_dict=state, trust_remote_code=False, **loader_options)
