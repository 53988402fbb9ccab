"""A memory (and LoRA, where trained) around a pretrained backbone, saved as a small file that names the backbone."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.utils import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
from safetensors.torch import save_file
from torch import Tensor

from rmt.backbone import HFBackbone
from rmt.checkpoint import trial, whole
from rmt.checkpoint.build import ADAPTER, build, check_memory, check_width
from rmt.checkpoint.examine import examine
from rmt.checkpoint.locate import locate
from rmt.checkpoint.packages import spread
from rmt.checkpoint.recognise import Foreign
from rmt.checkpoint.report import Report, report
from rmt.checkpoint.weights import open_weights, read_json
from rmt.checkpoint.whole import check_room, place
from rmt.checkpoint.wrapped import WRAPPED_LENGTH
from rmt.errors import InputError
from rmt.files import written_whole
from rmt.memory import CELLS
from rmt.model import About, Model


def wrap(
    backbone: str | Path,
    *,
    cell: str = "rmt",
    n_memory: int = 10,
    segment_length: int = WRAPPED_LENGTH,
    classes: tuple[str, ...] = (),
    seed: int = 0,
    device=None,
    special_tokens: bool = True,
    **options,
) -> Model:
    """Wrap an untrained memory around a pretrained backbone.

    backbone: a name of `rmt.checkpoint.packages.PRETRAINED`, a folder as transformers saves one, or a hub name.
    classes: give the model a fresh head that classifies documents. special_tokens: whether a text gets the tokens that
        the backbone's tokenizer puts around one. options: of the cell. The same seed gives the same weights.
    """
    config = {
        "backbone": {"name": str(backbone)},
        "cell": {"kind": cell, "options": {"n_memory": n_memory, **options}},
        "segment_length": segment_length,
        "classes": list(classes),
        "lora": None,
    }
    check_memory(config, "What is asked for")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return place(_assemble(config, special_tokens=special_tokens), device)


def add_lora(model: Model, *, rank: int = 8, alpha: int = 16, targets: list[str] | None = None) -> Model:
    """Add LoRA adapters to a wrapped backbone; only they, the memory and a fresh head are trained.

    targets: names of modules, by default those that peft adapts in this family.
    """
    family = model.backbone.model.config.model_type
    targets = targets or TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING.get(family)
    if not targets:
        raise InputError(f"Which modules of a {family} LoRA adapts is not known; pass targets=.")
    model.about.config["lora"] = {"rank": rank, "alpha": alpha, "targets": list(targets)}
    inject_adapter_in_model(_lora(model.about.config["lora"]), model.backbone.model)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(_ours(name, model.about.config))
    return model.to(model.device)


def save_adapter(model: Model, folder: Path, *, trained: bool = True, dtype: torch.dtype | None = None) -> None:
    """Save what was added to the backbone, a few megabytes; the weights last, so that a folder with them is complete.

    dtype: the type that numbers are stored in, by default the model's; `load_adapter` converts them to float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {"format": ADAPTER, **model.about.config, "trained": trained}
    with written_whole(folder / "config.json") as part:
        part.write_text(json.dumps(config, indent=1) + "\n")
    with written_whole(folder / "adapter.safetensors") as part:
        save_file({name: tensor.to(dtype or tensor.dtype) for name, tensor in _added(model).items()}, part)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a memory apart from its backbone, and not a whole model."""
    file = folder / "config.json"
    return folder.is_dir() and file.is_file() and read_json(file).get("format") == ADAPTER


def load_adapter(folder: Path, *, device=None, segment_length: int | None = None, backbone=None) -> Model:
    """Load a memory with its backbone, which is looked up by its name unless `backbone` is given."""
    config = _read(folder, segment_length)
    model = _assemble(config, backbone)
    weights, wanted = open_weights([folder / "adapter.safetensors"]), _added(model)
    shapes = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    misfits = sorted(name for name, _ in weights.shapes.items() ^ shapes.items())
    if misfits:
        raise InputError(
            f"{folder} does not fit its config.json ({', '.join(misfits[:3])}); copy both from the same run."
        )
    state = {name: weights.tensor(name) for name in wanted}
    model.load_state_dict(state, strict=False)
    about = model.about
    about.name, about.source, about.trained = folder.resolve().name, str(folder), config.get("trained", True)
    about.fingerprint = weights.fingerprint()[:8] + about.config["backbone"]["fingerprint"][:8]
    return place(model, device)


def fresh_adapter(folder: Path, *, segment_length: int | None = None, backbone=None) -> Model:
    """Build the untrained control: the same backbone with fresh memory and adapters, on the CPU."""
    model = _assemble(_read(folder, segment_length), backbone)
    model.about.name, model.about.source = folder.resolve().name, str(folder)
    return model


def inspect_adapter(folder: Path, *, segment_length: int | None = None, backbone=None) -> Report:
    """Report on a saved memory and on the backbone that it names."""
    config = _read(folder, segment_length)
    candidate, empty = examine(backbone or config["backbone"]["name"], segment_length=config["segment_length"])
    weights = open_weights([folder / "adapter.safetensors"])
    for name in weights.shapes:
        weights.tensor(name)
    with torch.device("meta"):
        empty.cell = CELLS[config["cell"]["kind"]].fit(empty.backbone, **config["cell"]["options"])
    kind = f"memory{' and LoRA' if config['lora'] else ''} around {config['backbone']['name']}"
    candidate.path, candidate.recognised = folder, Foreign(kind, config["cell"]["kind"])
    candidate.segment_length_from = candidate.backbone_from = "its config.json"
    model = load_adapter(folder, device="cpu", segment_length=segment_length, backbone=backbone)
    base_report = report(candidate, empty, trial.record_one(model, model.segment_length))
    notes = [] if config.get("trained", True) else ["Its memory is untrained."]
    if config["cell"]["options"].get("as_words"):
        notes.append("Its memory is read as the words that the model's own head makes of it.")
    files = [file.name for file in weights.files]
    head = "classify" if config["classes"] else base_report.head
    inferred = [*base_report.inferred, *notes]
    return replace(base_report, files=files, inferred=inferred, head=head, classes=model.about.classes)


def _assemble(config: dict, backbone=None, *, special_tokens: bool = False) -> Model:
    """Build the named backbone with a fresh cell, head and adapters as the config says, on the CPU."""
    spec, cell = config["backbone"], config["cell"]
    name, length = backbone or spec["name"], config["segment_length"]
    folder = locate(name)
    base = None if is_adapter(folder) else whole.load(folder, name, segment_length=length, device="cpu")
    if base is None or base.cell.n_memory:
        raise InputError(f"{spec['name']} has a memory of its own; leave out the untrained one.")
    if spec.get("fingerprint", base.about.fingerprint) != base.about.fingerprint:
        raise InputError(f"This memory belongs to a {spec['name']} with other weights; pass backbone= as that one.")
    stock = _with_head(base, config["classes"]) if config["classes"] else base.backbone
    check_width(stock, cell["kind"])
    options = {"initial_std": spread(stock.model.get_input_embeddings()), **cell["options"]}
    try:
        memory = CELLS[cell["kind"]].fit(stock, **options)
        if config["lora"]:
            inject_adapter_in_model(_lora(config["lora"]), stock.model)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"No such memory or adapter fits a {spec['name']} ({ascii(str(error))[:120]}); check the options."
        ) from None
    config = {**config, "backbone": {**spec, "fingerprint": base.about.fingerprint}}
    about = About(
        f"{Path(spec['name']).name}, untrained memory", classes=config["classes"], trained=False, config=config
    )
    if stock is base.backbone:  # under its own head
        about.classes, about.answers = base.about.classes, base.about.answers
    model = Model(stock, memory, segment_length=length, tokenizer=base.tokenizer, about=about).eval()
    model.around = base.around if special_tokens else ((), ())
    check_room(model, length)
    return model


def _with_head(base: Model, classes: list[str]) -> HFBackbone:
    """Return a backbone with the same trunk and a fresh classification head."""
    spec = base.about.config["backbone"]
    labels = {"num_labels": len(classes), "id2label": dict(enumerate(classes))}
    config = {**base.about.config, "backbone": {**spec, "head": "classify", "config": {**spec["config"], **labels}}}
    fresh = build(config, base.tokenizer).backbone
    fresh.trunk.load_state_dict(base.backbone.trunk.state_dict())
    return fresh


def _lora(spec: dict) -> LoraConfig:
    return LoraConfig(r=spec["rank"], lora_alpha=spec["alpha"], target_modules=list(spec["targets"]))


def _sound(lora: dict) -> bool:
    """Whether a LoRA entry of a config has a rank, alpha and targets of the right types."""
    rank, alpha, targets = (lora.get(key) for key in ("rank", "alpha", "targets"))
    return isinstance(rank, int) and 0 < rank <= 1024 and isinstance(alpha, int | float) and isinstance(targets, list)


def _ours(name: str, config: dict) -> bool:
    """Whether a parameter was added to the backbone: by memory, LoRA or a fresh head."""
    head = ("backbone.model.classifier.", "backbone.model.score.") if config["classes"] else ()
    return name.startswith(("cell.", *head)) or ".lora_" in name


def _added(model: Model) -> dict[str, Tensor]:
    """The tensors that were added to the backbone."""
    state = model.state_dict()
    return {name: tensor.contiguous() for name, tensor in state.items() if _ours(name, model.about.config)}


def _read(folder: Path, segment_length: int | None) -> dict:
    """Read and check a saved memory's config.json. Raises InputError where it lacks backbone, cell or LoRA's form."""
    config = read_json(folder / "config.json")
    spec, lora = config.get("backbone"), config.get("lora")
    check_memory(config, folder)
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise InputError(f"{folder} does not say what its backbone is; copy its config.json again.")
    if not isinstance(lora, dict | None) or (lora and not _sound(lora)):
        raise InputError(f"{folder} does not say how its adapters are made; copy its config.json again.")
    return {**config, "segment_length": segment_length or config.get("segment_length"), "lora": lora}
