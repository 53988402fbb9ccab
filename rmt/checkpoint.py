"""Checkpoints: a folder with config.json, model.safetensors and tokenizer.json, and nothing pickled."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from rmt.backbone import HFBackbone
from rmt.errors import InputError
from rmt.memory import CELLS
from rmt.model import About, Model
from rmt.vocabulary import CLS, SEP, open_tokenizer

FORMAT = "rmt-checkpoint-1"
HEADS = {"lm": AutoModelForCausalLM, "classify": AutoModelForSequenceClassification}


def build(config: dict, tokenizer: Tokenizer | None = None) -> Model:
    """A model with fresh weights from its config.json; what `load` fills and the untrained control leaves."""
    options = dict(config["backbone"]["config"])
    stock = HEADS[config["backbone"]["head"]].from_config(AutoConfig.for_model(options.pop("model_type"), **options))
    marks = [tokenizer.token_to_id(mark) if tokenizer else None for mark in (CLS, SEP)]
    backbone = HFBackbone(stock, cls_id=marks[0], sep_id=marks[1])
    cell = CELLS[config["cell"]["kind"]](backbone.dim, **config["cell"]["options"])
    about = About(task=config.get("task"), classes=config.get("classes", []), trained=False)
    return Model(
        backbone,
        cell,
        segment_length=config["segment_length"],
        alignment=config.get("alignment", "left"),
        tokenizer=tokenizer,
        about=about,
    ).eval()


def save(model: Model, config: dict, folder: Path) -> None:
    """Write a checkpoint folder; the weights last, so that a folder with weights is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"format": FORMAT, **config}, indent=1) + "\n")
    if model.tokenizer is not None:
        model.tokenizer.save(str(folder / "tokenizer.json"))
    part = folder / "model.safetensors.part"
    save_file(_unshared(model), part)
    part.replace(folder / "model.safetensors")


def load(path, *, device=None, segment_length: int | None = None, backbone: str | None = None) -> Model:
    """Open a checkpoint folder as a model ready to run.

    device: CUDA where there is one, by default. segment_length: tokens a segment, instead of the checkpoint's own.
    Raises InputError with a sentence for anything that is not such a folder.
    """
    folder = Path(path)
    config = read_config(folder)
    model = _build_for(folder, config)
    weights = folder / "model.safetensors"
    try:
        state = load_file(weights)
    except FileNotFoundError:
        raise InputError(f"{folder} has no model.safetensors; it is not a whole checkpoint, train it again.") from None
    except SafetensorError as error:
        raise InputError(f"{weights} is damaged ({error}); copy it again.") from None
    wanted = _unshared(model)
    wrong = sorted(k for k in wanted.keys() & state.keys() if wanted[k].shape != state[k].shape)
    lost, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
    if wrong or lost or extra:
        raise InputError(
            f"{weights} does not fit its config.json: {len(lost)} tensors missing, {len(extra)} unexpected, "
            f"{len(wrong)} of another shape ({', '.join([*lost, *extra, *wrong][:3])}); copy both from the same run."
        )
    model.load_state_dict(state, strict=False)  # strict but for tied weights, checked above
    model.about.trained = True
    model.about.fingerprint = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    return _place(model, device, segment_length)


def untrained(path, *, seed: int = 0, device=None, segment_length: int | None = None) -> Model:
    """The control: the same checkpoint's shape with weights that never saw a step of training."""
    folder = Path(path)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _build_for(folder, read_config(folder))
    model.about.fingerprint = f"untrained-{seed}"
    return _place(model, device, segment_length)


def read_config(folder: Path) -> dict:
    """config.json of a checkpoint folder, checked as far as `build` relies on it."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except FileNotFoundError:
        raise InputError(f"{folder} is not a checkpoint: it has no config.json. Give the folder of a run.") from None
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise InputError(f"{folder / 'config.json'} is not JSON; copy it again.") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise InputError(f"{folder / 'config.json'} is not of the format {FORMAT!r}; train or convert it first.")
    kind = config.get("cell", {}).get("kind")
    if kind not in CELLS:
        raise InputError(f"{folder} has the memory cell {kind!r}; this version knows {', '.join(CELLS)}.")
    return config


def _build_for(folder: Path, config: dict) -> Model:
    file = folder / "tokenizer.json"
    model = build(config, open_tokenizer(file) if file.exists() else None)
    model.about.name, model.about.source = folder.name, str(folder)
    return model


def _place(model: Model, device, segment_length: int | None) -> Model:
    if segment_length is not None:
        if segment_length < 1:
            raise InputError(f"A segment holds one token or more, not {segment_length}.")
        model.segment_length = segment_length
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).requires_grad_(False)


def _unshared(model: Model) -> dict[str, torch.Tensor]:
    """The state dict without the second name of tied tensors."""
    state, seen = {}, set()
    for name, tensor in model.state_dict().items():
        if tensor.data_ptr() not in seen or tensor.numel() == 0:
            state[name] = tensor.contiguous()
            seen.add(tensor.data_ptr())
    return state
