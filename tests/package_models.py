"""Tiny models of the package recurrent-memory-transformer-pytorch 0.7.0, and what they gave once.

`python tests/package_models.py` writes package_models.safetensors anew; it needs the package, with einops and
hyper-connections: pip install --no-deps --target FOLDER them, and PYTHONPATH=FOLDER. Tests need only the file.
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

FILE = Path(__file__).parent / "package_models.safetensors"
SIZES = {"dim": 16, "num_tokens": 24, "depth": 2, "num_memory_tokens": 2, "seq_len": 8}
SIZES |= {"dim_head": 8, "heads": 2, "ff_mult": 2}
KINDS = {  # what a constructor was given beside SIZES
    "default": {},
    "rotary, nothing read at first": {
        "rotary_pos_emb": True,
        "abs_pos_emb": False,
        "num_residual_streams": 2,
        "always_have_read_memories": False,
        "heads": 3,
    },
    "plain residuals, state in write": {
        "num_residual_streams": 1,
        "add_write_to_next_write_mem": True,
        "rotary_pos_emb": True,
    },
}
IDS = torch.arange(2 * 29).view(2, 29) * 7 % SIZES["num_tokens"]  # three whole segments and a short one


def options(kind: str) -> dict:
    """All that the constructor is given."""
    return {**SIZES, **KINDS[kind]}


def told(kind: str) -> dict:
    """What no tensor holds, as `load` is told it."""
    made = options(kind)
    return {
        "add_write_to_next_write_mem": made.get("add_write_to_next_write_mem", False),
        "always_have_read_memories": made.get("always_have_read_memories", True),
    }


def make(given: dict):
    """A model of the package with uneven random weights."""
    from recurrent_memory_transformer_pytorch import RecurrentMemoryTransformer

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = RecurrentMemoryTransformer(**given).eval().requires_grad_(False)
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * 0.1
    return model


def run(model, ids=IDS) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (B, T, V) of a text and the memory (B, M, D) after it, by the package's own wrapper."""
    from recurrent_memory_transformer_pytorch import RecurrentMemoryTransformerWrapper

    return RecurrentMemoryTransformerWrapper(model)(ids)


def kept(kind: str) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
    """The state dict of a kind, and the logits and the memory that the package made of IDS with it."""
    number = [*KINDS].index(kind)
    with safe_open(FILE, "pt") as file:
        found = {n.partition("/")[2]: file.get_tensor(n) for n in file.keys() if n.startswith(f"{number}/")}  # noqa: SIM118
    return found, found.pop("their logits"), found.pop("their memory")


def main() -> None:
    tensors = {}
    for number, kind in enumerate(KINDS):
        model = make(options(kind))
        logits, memory = run(model)
        found = {**model.state_dict(), "their logits": logits, "their memory": memory}
        tensors |= {f"{number}/{name}": tensor.contiguous() for name, tensor in found.items()}
    save_file(tensors, FILE, {"made by": "recurrent-memory-transformer-pytorch 0.7.0", "kinds": json.dumps(KINDS)})


if __name__ == "__main__":
    main()
