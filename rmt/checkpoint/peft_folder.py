"""Adapters as peft saves them, alone or beside their base model: find them, read them safely, let peft merge them."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

from torch import nn

from rmt.checkpoint.locate import locate
from rmt.checkpoint.weights import ADAPTERS, Weights, find_weights, open_weights, read_json
from rmt.errors import InputError

CONFIG = "adapter_config.json"
FILES = ADAPTERS
# Options that would import a module by its name or start from other weights, or that a trained adapter does not need.
DROPPED = ("auto_mapping", "megatron_config", "megatron_core", "base_model_name_or_path", "revision", "task_type")
DROPPED = (*DROPPED, "runtime_config", "loftq_config", "eva_config", "corda_config", "inference_mode", "peft_version")
FROM_BASE = ("pissa", "olora")  # initialisations that change the base model, too
HEADS = ("score", "classifier", "classification_head", "lm_head", "cls", "qa_outputs", "pre_classifier", "pooler")
TASKS = {"SEQ_CLS": "classify", "CAUSAL_LM": "lm"}


@dataclass(frozen=True)
class Adapter:
    """An adapter on disk: the content of its adapter_config.json, and its tensors."""

    folder: Path
    config: dict
    weights: Weights

    @property
    def kind(self) -> str:
        return str(self.config.get("peft_type", "LORA")).upper()

    @property
    def head(self) -> str | None:
        """The head that its task needs, None for an unknown task."""
        return TASKS.get(self.config.get("task_type"))

    def describe(self, base: Path) -> str:
        """The sentence for the report: its kind, its settings, and the base model that it is merged into."""
        parts = [f"rank {self.config['r']}"] if isinstance(self.config.get("r"), int) else []
        parts += (
            [f"alpha {self.config['lora_alpha']}"] if isinstance(self.config.get("lora_alpha"), int | float) else []
        )
        parts += ["rank-stabilised scaling"] if self.config.get("use_rslora") else []
        parts += ["other ranks in some layers"] if self.config.get("rank_pattern") else []
        parts += ["another alpha in some layers"] if self.config.get("alpha_pattern") else []
        where = "the base model beside it" if base == self.folder else f"its base model, {base}"
        settings = f" ({', '.join(parts)})" if parts else ""
        return f"The peft adapter in {self.weights.files[0].name}, {self.kind}{settings}, is merged into {where}."


def find_adapter(place: Path) -> Adapter | None:
    """Find the adapter in a folder, or the one whose file of weights this is; None where there is none."""
    folder = place if place.is_dir() else place.parent
    if (place.is_file() and place.name not in FILES) or not (folder / CONFIG).is_file():
        return None
    file = next((folder / name for name in FILES if (folder / name).is_file()), None)
    if file is None:
        raise InputError(
            f"{folder} has {CONFIG} and no weights of the adapter ({' or '.join(FILES)}); copy the whole folder."
        )
    return Adapter(folder, read_json(folder / CONFIG), open_weights([file]))


def find_base(adapter: Adapter, backbone) -> Path:
    """Find the base model of an adapter: the caller's, the one beside it, or the one that its config names."""
    if backbone is not None:
        return locate(backbone)
    if (adapter.folder / "config.json").is_file():
        try:
            find_weights(adapter.folder)
            return adapter.folder
        except InputError:  # a folder of an adapter alone may have a configuration, too
            pass
    base_name = adapter.config.get("base_model_name_or_path")
    if isinstance(base_name, str) and base_name.strip():
        for place in (Path(base_name), adapter.folder / base_name):
            if place.is_dir():
                return place
        try:
            return locate(base_name)
        except InputError:
            pass
    raise InputError(
        f"{adapter.folder} is a peft adapter without its base model, which it calls {ascii(base_name)[:100]} and which "
        "is not here. Give the base model's folder as backbone=…, or merge the two with peft (merge_and_unload) and "
        "save that."
    )


def joined(adapter: Adapter, base: Weights) -> Weights:
    """The base model's tensors, replaced where the adapter saves a tensor whole: a head, or larger embeddings."""
    replaced = {}
    for name in adapter.weights.shapes:
        base_name = name.removeprefix("base_model.model.").replace(".modules_to_save", "").replace(".base_layer", "")
        in_base = (
            base_name
            if base_name in base.shapes
            else next((b for b in base.shapes if base_name.endswith(f".{b}")), None)
        )
        if in_base or (base_name.partition(".")[0] in HEADS and ".lora_" not in base_name):
            replaced[in_base or base_name] = name

    def read(name: str):
        return adapter.weights.read(replaced[name]) if name in replaced else base.read(name)

    shapes = base.shapes | {ours: adapter.weights.shapes[theirs] for ours, theirs in replaced.items()}
    dtypes = base.dtypes | {ours: adapter.weights.dtypes[theirs] for ours, theirs in replaced.items()}
    files = (*base.files, *adapter.weights.files)
    return replace(base, files=files, shapes=shapes, dtypes=dtypes, read=read)


def merge(model: nn.Module, adapter: Adapter) -> nn.Module:
    """Let peft merge the adapter into the model's weights. Raises InputError where it cannot, or does not fit."""
    from peft import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING, PeftModel, set_peft_model_state_dict

    options = PEFT_TYPE_TO_CONFIG_MAPPING.get(adapter.kind)
    if options is None:
        raise InputError(
            f"{adapter.folder} holds an adapter of a kind that the installed peft has not: {adapter.kind!r}."
        )
    if not hasattr(PEFT_TYPE_TO_TUNER_MAPPING.get(adapter.kind), "merge_and_unload"):
        raise InputError(
            f"{adapter.folder} holds an adapter of the kind {adapter.kind}, whose numbers stand beside the text and "
            "not in the weights: it cannot be merged, so it is not run here."
        )
    if adapter.config.get("layer_replication"):
        raise InputError(f"{adapter.folder} repeats layers (layer_replication), which is not run here.")
    known = {field.name for field in fields(options)} - set(DROPPED)
    settings = {key: value for key, value in adapter.config.items() if key in known}
    begin = settings.get("init_lora_weights")
    if "init_lora_weights" in known and not (isinstance(begin, str) and begin.startswith(FROM_BASE)):
        settings["init_lora_weights"] = False
    state = {name: adapter.weights.tensor(name) for name in adapter.weights.shapes}
    try:
        tuned = PeftModel(model, options(**settings, inference_mode=True))
        loaded = set_peft_model_state_dict(tuned, state)
        prefix = getattr(tuned.base_model, "prefix", None)
        missing = [name for name in loaded.missing_keys if prefix and prefix in name]
        if missing or loaded.unexpected_keys:
            odd = json.dumps([*missing, *loaded.unexpected_keys][:3])
            raise InputError(
                f"{adapter.folder} does not fit its base model: {len(missing)} of its tensors are missing and "
                f"{len(loaded.unexpected_keys)} belong to no module of it ({odd[1:-1]}). Give the base model it was "
                "trained on."
            )
        return tuned.merge_and_unload()
    except InputError:
        raise
    except Exception as error:  # peft can raise anything for a configuration that fits no model
        raise InputError(
            f"peft does not put the adapter of {adapter.folder} into its base model ({type(error).__name__}: "
            f"{ascii(str(error))[1:-1][:160]}). Give the base model it was trained on."
        ) from None
