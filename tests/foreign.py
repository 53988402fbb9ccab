"""Checkpoints laid out as other programs do, written from tiny models of ours, whose output is the answer to expect."""

import json
import re

import torch
from safetensors.torch import save_file

from rmt.backbone.families import RECURRENT_NETS, backbone_config
from rmt.checkpoint.build import build
from rmt.checkpoint.recognise import ASSOCIATIVE, RETRIEVAL
from rmt.memory import MECHANISMS

SIZES = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40, "vocab_size": 50},
    "llama": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
        "intermediate_size": 24, "vocab_size": 50, "max_position_embeddings": 64,
    },
    "bert": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24, "vocab_size": 50,
        "max_position_embeddings": 40,
    },
}  # fmt: skip
LAYERS = {"gpt2": "transformer.h", "llama": "model.layers"}
SEGMENT = 8


def tiny(family: str = "gpt2", cell: str = "rmt", *, seed: int = 0, head: str | None = None, backbone=None, **options):
    """A tiny model with every number random, so that each tensor matters; three memory tokens, segments of eight."""
    torch.manual_seed(seed)
    own = MECHANISMS[cell].backbone
    if own:
        family, options = own, {"n_memory": 0, **options}
    config = {
        "cell": {"kind": cell, "options": {"n_memory": 3, **options}},
        "segment_length": SEGMENT,
        "backbone": backbone
        or {"head": head or ("classify" if family == "bert" else "lm"), "config": hf_config(family)},
        "classes": ["LABEL_0", "LABEL_1"] if family == "bert" or head == "classify" else [],
    }
    if config["backbone"]["head"] != "lm":
        config["backbone"] |= {"cls_id": 1, "sep_id": 2}
    model = build(config).requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) * 0.3)
    return model


def hf_config(family: str) -> dict:
    if family in RECURRENT_NETS:
        layers = 3 if family == "recurrent_gemma" else 2  # the third is one of attention
        return backbone_config(family, layers=layers, width=16, heads=2, vocabulary=50, positions=64)["config"]
    return {"model_type": family, "pad_token_id": 0, "bos_token_id": None, "eos_token_id": None, **SIZES[family]}


def state_dict(model) -> dict[str, torch.Tensor]:
    """The state dict of a decoder RMT, RMT-R or ARMT with their wrappers' names, tied and doubled tensors included."""
    family, kind = model.backbone.model.config.model_type, model.about.config["cell"]["kind"]
    names = {ours: theirs for theirs, ours in RETRIEVAL.items()}
    state = {}
    for name, tensor in model.state_dict().items():
        part, _, rest = name.partition(".")
        if part == "backbone":
            rest = rest.removeprefix("model.")
            if kind == "armt":
                rest = re.sub(rf"^({LAYERS[family]}\.\d+)\.", r"\1.layer.", rest)
            state[f"memory_cell.model.{rest}"] = tensor.clone()
        elif rest == "memory":
            state["memory_cell.memory"] = tensor.clone()
        elif kind == "armt":
            module, layer, leaf = rest.split(".")
            theirs = next(t for t, ours in ASSOCIATIVE.items() if ours == module)
            state[f"memory_cell.model.{LAYERS[family]}.{layer}.{theirs}.{leaf}"] = tensor.clone()
        else:
            module, leaf = rest.split(".")
            state[f"{names[module]}.{leaf}"] = tensor.clone()
    if kind == "armt":
        prefix = f"memory_cell.model.{LAYERS[family]}."
        state |= {n.replace(prefix, "memory_cell.layers."): t.clone() for n, t in state.items() if n.startswith(prefix)}
    return state


def bert_state_dict(model) -> dict[str, torch.Tensor]:
    """The state dict of BERT RMT: memory as the last word embeddings, which appear twice; marks as buffers."""
    state = {n.removeprefix("backbone."): t for n, t in model.state_dict().items() if n.startswith("backbone.")}
    words = "model.bert.embeddings.word_embeddings.weight"
    state[words] = torch.cat([state[words], model.cell.memory])
    ids = torch.arange(len(state[words]))
    return state | {
        "model.embeddings.weight": state[words].clone(),
        "mem_token_ids": ids[-model.cell.n_memory :],
        "cls_token": torch.tensor([model.backbone.cls_id]),
        "sep_token": torch.tensor([model.backbone.sep_id]),
    }


def baggage(state: dict) -> dict:
    """A model's state dict as a trainer saves it, with other entries beside it."""
    import numpy as np

    optimizer = torch.optim.AdamW([torch.zeros(3, requires_grad=True)])
    optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
    optimizer.step()
    return {
        "model_state_dict": state,
        "optimizer_state_dict": optimizer.state_dict(),
        "iteration": 3000,
        "epoch": 1,
        "metrics": {"exact_match": np.float64(99.5)},
        "lr_scheduler_state_dict": None,
    }


def add_lora(state: dict, module: str, *, rank: int, scale: float, conv: bool) -> dict:
    """Put an adapter on one module: the state dict that peft would write, and the merged weight to expect."""
    torch.manual_seed(1)
    state = {name.replace("memory_cell.model.", "memory_cell.model.base_model.model."): t for name, t in state.items()}
    name = f"memory_cell.model.base_model.model.{module}"
    weight = state.pop(f"{name}.weight")
    n_out, n_in = weight.T.shape if conv else weight.shape
    a, b = torch.randn(rank, n_in) * 0.2, torch.randn(n_out, rank) * 0.2
    state |= {
        f"{name}.base_layer.weight": weight,
        f"{name}.lora_A.default.weight": a,
        f"{name}.lora_B.default.weight": b,
    }
    if f"{name}.bias" in state:
        state[f"{name}.base_layer.bias"] = state.pop(f"{name}.bias")
    merged = weight + scale * ((b @ a).T if conv else b @ a)
    return state, merged


def write(folder, state, name="model.safetensors", config=None):
    """Write a folder with this state dict, in safetensors or pickled, and a config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    if name.endswith(".safetensors"):
        save_file({key: tensor.contiguous() for key, tensor in state.items()}, folder / name)
    else:
        torch.save(state, folder / name)
    if config is not None:
        (folder / "config.json").write_text(json.dumps(config))
    return folder
