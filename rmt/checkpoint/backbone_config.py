"""The backbone's configuration and the training arguments of another program's checkpoint, from files or the caller."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from rmt.checkpoint.locate import REPOSITORY, fetch_config
from rmt.checkpoint.recognise import Foreign
from rmt.checkpoint.weights import Weights, read_json
from rmt.errors import InputError

# Stock configurations by name, as differences from the family's defaults, for checkpoints without config.json.
LLAMA_32 = {
    "model_type": "llama", "vocab_size": 128256, "rms_norm_eps": 1e-5, "max_position_embeddings": 131072,
    "tie_word_embeddings": True, "num_key_value_heads": 8, "bos_token_id": 128000, "eos_token_id": 128001,
    "rope_parameters": {
        "rope_type": "llama3", "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    },
}  # fmt: skip
STOCK = {
    "gpt2": {"model_type": "gpt2"},
    "gpt2-medium": {"model_type": "gpt2", "n_embd": 1024, "n_layer": 24, "n_head": 16},
    "gpt2-large": {"model_type": "gpt2", "n_embd": 1280, "n_layer": 36, "n_head": 20},
    "gpt2-xl": {"model_type": "gpt2", "n_embd": 1600, "n_layer": 48, "n_head": 25},
    "distilgpt2": {"model_type": "gpt2", "n_layer": 6},
    "bert-base-cased": {"model_type": "bert", "vocab_size": 28996},
    "bert-base-uncased": {"model_type": "bert"},
    "meta-llama/Llama-3.2-1B": {
        **LLAMA_32, "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "intermediate_size": 8192,
    },
    "meta-llama/Llama-3.2-1B-Instruct": {
        **LLAMA_32, "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "intermediate_size": 8192,
    },
}  # fmt: skip
CONFIG_NAMES = ("config.json", "backbone_config.json")
WORDS = re.compile(r"(wte|embed_tokens|embed_in|word_embeddings)\.weight$")
POSITIONS = {"gpt2": (re.compile(r"wpe\.weight$"), "n_positions", 0)}
POSITIONS["bert"] = (re.compile(r"position_embeddings\.weight$"), "max_position_embeddings", 0)
POSITIONS["opt"] = (re.compile(r"embed_positions\.weight$"), "max_position_embeddings", 2)
LAYER = re.compile(r"(?:^|\.)(?:h|layers?)\.(\d+)\.")


@dataclass(frozen=True)
class RunArguments:
    """The arguments of the training run that made a checkpoint, and the file that holds them."""

    arguments: dict
    file: Path | None = None

    def get(self, *names: str):
        """The first of these arguments that the run has, None where it has none."""
        return next((self.arguments[name] for name in names if self.arguments.get(name) is not None), None)


def beside(weights: Path) -> list[dict]:
    """Read the config files beside the weights and one level up, nearest first, each with its path under "file"."""
    folders = [weights.parent, weights.parent.parent]
    if folders[1].name == "checkpoints":  # as accelerate numbers them
        folders.append(folders[1].parent)
    files = [folder / name for folder in folders for name in CONFIG_NAMES]
    return [{**read_json(file), "file": file} for file in files if file.is_file()]


def read_run(configs: list[dict]) -> RunArguments:
    """Find the first config that holds a run's arguments and not a backbone's."""
    run = next((c for c in configs if "model_type" not in c and "format" not in c), None)
    return RunArguments(run, run["file"]) if run else RunArguments({})


def backbone_config(
    name: str | None, configs: list[dict], run: RunArguments, foreign: Foreign, weights: Weights
) -> tuple[dict, str, Path | None] | None:
    """Find the backbone's configuration: (config, its source in words, folder with its tokenizer), None if unknown.

    name: the backbone that the caller named: a folder, a .json file, a name of STOCK, or a hub repository.
    """
    if name is not None:
        return _named(str(name))
    beside_weights = next((c for c in configs if "model_type" in c), None)
    if beside_weights:
        config = {key: value for key, value in beside_weights.items() if key != "file"}
        return config, f"{beside_weights['file'].name} beside the weights", beside_weights["file"].parent
    named_by_run = run.get("from_pretrained", "model_cfg", "backbone", "base_model")
    if isinstance(named_by_run, str) and (named_by_run in STOCK or os.path.exists(named_by_run)):
        config, _, folder = _named(named_by_run)
        return config, f"{named_by_run}, which the run's {run.file.name} names", folder
    fitting = [stock for stock, config in STOCK.items() if _fits(config, weights)]
    if fitting:
        return dict(STOCK[fitting[0]]), f"{fitting[0]}, whose sizes the tensors have", None
    return None


def _named(name: str) -> tuple[dict, str, Path | None]:
    """Look up a backbone's configuration by name, as `backbone_config` returns it. Raises InputError without one."""
    path = Path(name)
    if os.path.isfile(path) and path.suffix == ".json":
        return _hf(read_json(path), path), str(path), path.parent
    if os.path.isdir(path):
        return _hf(read_json(path / "config.json"), path), str(path), path
    if name not in STOCK and (not REPOSITORY.fullmatch(name) or ".." in name):
        raise InputError(
            f"There is no backbone {ascii(name)[:80]}; give a folder with config.json, a hub name, or one of "
            f"{', '.join(STOCK)}."
        )
    folder = fetch_config(name)
    if folder is None and name in STOCK:
        return dict(STOCK[name]), f"the stock configuration of {name}", None
    if folder is None:
        raise InputError(f"There is no folder {name} here and the hub gives none; pass a folder with config.json.")
    return _hf(read_json(folder / "config.json"), folder), f"{name} on the hub", folder


def _hf(config: dict, path: Path) -> dict:
    """Check that a config is that of a transformers model, and return it."""
    if not isinstance(config.get("model_type"), str):
        raise InputError(f"{path} has no model_type, so it is not the configuration of a transformers model.")
    return config


def _fits(config: dict, weights: Weights) -> bool:
    """Whether weights have the family, layers and width of a stock configuration."""
    defaults = json.loads(_defaults(config["model_type"]))
    full = {**defaults, **config}
    width, layers = full.get("hidden_size", full.get("n_embd")), full.get("num_hidden_layers", full.get("n_layer"))
    words = _words(weights)
    return (
        words is not None
        and words[1] == width
        and n_layers(weights) == layers
        and _family(weights) == config["model_type"]
    )


def _defaults(model_type: str) -> str:
    from transformers import AutoConfig

    return AutoConfig.for_model(model_type).to_json_string(use_diff=False)


def _family(weights: Weights) -> str | None:
    """The family that the tensors' names show, None where it is unknown."""
    marks = {"transformer.h.": "gpt2", "gpt_neox.": "gpt_neox", "decoder.layers.": "opt", "bert.encoder.": "bert"}
    for mark, family in {**marks, "layers.": "llama"}.items():
        if any(mark in name for name in weights.shapes):
            return family
    return None


def _words(weights: Weights) -> tuple[int, ...] | None:
    """The shape (V, D) of the word embeddings, None where there are none."""
    return next((s for name, s in weights.shapes.items() if WORDS.search(name) and len(s) == 2), None)


def n_layers(weights: Weights) -> int:
    """Count the layers in the names of tensors."""
    return len({int(m[1]) for m in map(LAYER.search, weights.shapes) if m})


def fit_tables(config: dict, foreign: Foreign, weights: Weights) -> tuple[dict, dict, list[str]]:
    """Set the sizes of embedding tables in a config to those in the file: (config, cell options implied, sentences).

    The two can differ: vocabularies are extended in training, and ARMT appends its memory's positions to GPT-2's.
    """
    config, options, sentences = dict(config), {}, []
    words, memory = _words(weights), foreign.options.get("n_memory", 0)
    if words is not None:
        rows = words[0] - (memory if foreign.kind == "BERT RMT classifier" else 0)
        if config.get("vocab_size", rows) not in (rows, words[0]):
            sentences.append(f"The vocabulary has {rows} tokens, as in the weights; the configuration says otherwise.")
        config["vocab_size"] = rows
    if config["model_type"] in POSITIONS:
        pattern, key, offset = POSITIONS[config["model_type"]]
        table = next((s[0] - offset for name, s in weights.shapes.items() if pattern.search(name)), None)
        stock = config.get(key, json.loads(_defaults(config["model_type"]))[key])
        if table is not None and table != stock:
            config[key] = table
            options = {"wrapped": True} if foreign.cell == "armt" and table == stock + memory else {}
            sentences.append(
                f"{table - stock} positions follow the {stock} of the backbone, for its memory tokens alone."
                if options
                else f"The position table has {table} rows, as in the weights; the configuration says {stock}."
            )
    return config, options, sentences
