"""Everything known of a checkpoint before its tensors are allocated: what it is, what fits and what is missing."""

from dataclasses import dataclass, field
from pathlib import Path

import torch

from rmt.checkpoint.backbone_config import RunArguments, backbone_config, beside, fit_tables, n_layers, read_run
from rmt.checkpoint.build import COUNTS, FORMAT, build, check_config, check_counts, read_config, shared, tokenizer_file
from rmt.checkpoint.heads import CLASSIFIER, Choice, by_tensors, choose, labels, lacking, surplus
from rmt.checkpoint.locate import locate
from rmt.checkpoint.peft_folder import Adapter, find_adapter, find_base, joined
from rmt.checkpoint.recognise import Foreign, Source, recognise, spare, translate
from rmt.checkpoint.weights import FLOATS, Weights, find_weights, inner_checkpoints, open_weights, read_json
from rmt.errors import InputError
from rmt.model import Model
from rmt.text.tokenizer import find_tokenizer

OURS = "checkpoint of this program"
OPTIONS = {"rmt-r": ("n_memory", "retrieve"), "armt": ("correction", "wrapped", "nu")}  # what no shape tells


@dataclass
class Candidate:
    """A checkpoint on disk. `config` is what `build` takes, None while no backbone is known."""

    path: Path
    found: Foreign
    weights: Weights
    config: dict | None = None
    sources: dict[str, Source] = field(default_factory=dict)
    segment_length: int | None = None
    segment_length_from: str | None = None
    backbone_from: str | None = None
    tokenizer: Path | None = None
    special_tokens: bool = True  # whether a text gets what the tokenizer puts around one
    lora_scale: float | None = None
    n_memory_known: bool = True
    adapter: Adapter | None = None  # of peft, to be merged into a stock model
    choice: Choice | None = None  # of a stock model, which transformers' own loader fills
    inferred: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    asks: list[str] = field(default_factory=list)  # names of what is missing and can be told
    ignored: list[str] = field(default_factory=list)

    def ask(self, name: str, sentence: str) -> None:
        """Something is missing that whoever asks for the checkpoint can tell."""
        self.asks.append(name)
        self.missing.append(sentence)


def examine(path, *, segment_length=None, backbone=None, options: dict | None = None) -> tuple[Candidate, Model | None]:
    """What lies at a path or under a hub name, and its model on the meta device where a backbone is known.

    options: of the memory cell, and lora_alpha and alignment, where no file holds them.
    Raises InputError where it cannot be a checkpoint, or one whose tensors do not fit its configuration.
    """
    place = locate(path)
    ours = place.is_dir() and (place / "config.json").is_file() and "format" in read_json(place / "config.json")
    candidate = _own(place) if ours else _foreign(place, backbone, dict(options or {}))
    if ours and (backbone is not None or options):
        raise InputError(f"{place} says itself what its backbone and memory are; leave out backbone= and options=.")
    if segment_length is not None:
        candidate.segment_length, candidate.segment_length_from = segment_length, "the caller"
    if candidate.segment_length is None:
        unsaid = "How many tokens a segment holds is in no file; tell it as it was in training."
        if candidate.found.cell == "none":
            unsaid = "A model without memory was not trained in segments; choose how many tokens a segment is to hold."
        candidate.ask("segment_length", unsaid)
    elif candidate.segment_length < 1:
        raise InputError(f"A segment holds one token or more, not {candidate.segment_length}.")
    return candidate, None if candidate.config is None else _fit(candidate, ours)


def _own(folder: Path) -> Candidate:
    config = read_config(folder)
    if not (folder / "model.safetensors").is_file():
        raise InputError(f"{folder} has no model.safetensors; it is not a whole checkpoint, train it again.")
    weights = open_weights([folder / "model.safetensors"])
    return Candidate(
        folder,
        Foreign(OURS, config["cell"]["kind"]),
        weights,
        config,
        sources={name: Source((name,)) for name in weights.shapes},
        segment_length=config.get("segment_length"),
        segment_length_from="its config.json",
        backbone_from="its config.json",
        tokenizer=tokenizer_file(folder, config),
    )


def _foreign(place: Path, backbone: str | None, options: dict) -> Candidate:
    place, inner = _inside(place)
    asked, adapter = place, find_adapter(place)
    if adapter is not None:
        place, backbone = find_base(adapter, backbone), None
    files = find_weights(place)
    weights = open_weights(files)
    found, configs = recognise(weights), beside(files[0])
    run = read_run(configs)
    candidate = Candidate(asked, found, weights, adapter=adapter)
    if adapter is not None:
        if found.cell != "none" or found.lora:
            raise InputError(f"{asked} is an adapter of peft on a {found.kind}; only those on stock models are merged.")
        candidate.weights = weights = joined(adapter, weights)
        candidate.inferred.append(adapter.describe(place))
    candidate.inferred += inner
    candidate.segment_length, candidate.segment_length_from = _run_length(found, run)
    alignment = options.pop("alignment", None) or run.get("segment_alignment") or found.alignment
    alpha = options.pop("lora_alpha", None) or run.get("lora_alpha", "lora_attn_alpha")
    if found.lora and alpha is None:
        candidate.ask("lora_alpha", "LoRA's alpha is in no file; tell it as it was in training.")
    candidate.special_tokens = options.pop("special_tokens", True) is not False
    candidate.lora_scale = alpha / found.lora if found.lora and alpha else None
    cell = _cell_options(found, run, options, candidate)
    stock = backbone_config(backbone, configs, run, found, weights)
    if stock is None:
        candidate.ask(
            "backbone",
            "The backbone's configuration is in no file; tell which it is, by a folder with config.json or a name such "
            "as gpt2.",
        )
        return candidate
    config, candidate.backbone_from, folder = stock
    config, told, said = fit_tables(config, found, weights)
    candidate.inferred += said
    near = [path if path.is_dir() else path.parent for path in (asked, place)]
    places = [near[0], files[0].parent, near[1], folder]
    candidate.tokenizer = next((f for p in places if p and (f := find_tokenizer(p))), None)
    check_counts({key: config[key] for key in COUNTS if key in config}, place)  # before any layer is made
    config, unrun = _quantized(config, weights, candidate)
    if unrun:
        raise InputError(f"{place} cannot be run. {unrun}")
    classes, answers, told_classes = [], "one", []
    if any(CLASSIFIER.search(name) for name in weights.shapes):
        config, classes, told_classes, answers = labels(config, weights)
    if found.cell == "none" and not found.lora:
        head = _stock(candidate, config, weights)
        config = candidate.choice.config
    else:
        head = by_tensors(config, weights)
    if head == "classify":
        candidate.inferred += told_classes
    else:
        classes, answers = [], "one"
    candidate.config = check_config(
        {
            "format": FORMAT,
            "cell": {"kind": found.cell, "options": {**told, **cell}},
            "segment_length": candidate.segment_length,
            "alignment": alignment,
            "backbone": {"head": head, "config": config, **found.marks},
            "classes": classes,
            **({} if answers == "one" else {"answers": answers}),
        },
        place,
    )
    return candidate


def _inside(place: Path) -> tuple[Path, list[str]]:
    """Where in a folder of a training run the weights are, the latest where they are many, and what is said of the
    others."""
    inner = inner_checkpoints(place)
    if not inner:
        return place, []
    names = ", ".join(str(f.relative_to(place)) for f in inner[-5:]) + (", and earlier ones" if len(inner) > 5 else "")
    try:
        own = find_adapter(place) is not None or find_weights(place)[0].parent == place
    except InputError:
        own = False
    if own:
        return place, [f"Beside the weights lie those of earlier moments of the run, in {names}; give one to see that."]
    latest = inner[-1]
    if len(inner) == 1:
        return latest, [f"Its weights are in {latest.relative_to(place)}."]
    return latest, [
        f"It holds {len(inner)} checkpoints ({names}); this is {latest.relative_to(place)}, the latest. Give another "
        "to see that."
    ]


def _stock(candidate: Candidate, config: dict, weights: Weights) -> str:
    """The head of a stock model, once transformers has said which of its classes the tensors fit."""
    try:
        candidate.choice = choose(config, weights, candidate.adapter.head if candidate.adapter else None)
    except InputError as error:
        raise InputError(f"{candidate.path} cannot be run. {error}") from None
    candidate.weights = candidate.choice.weights
    candidate.inferred += candidate.choice.said
    candidate.ignored = candidate.choice.left_out
    return candidate.choice.head


def _quantized(config: dict, weights: Weights, candidate: Candidate) -> tuple[dict, str | None]:
    """The configuration without its quantization, and why its weights cannot be read; None where they can."""
    said = config.get("quantization_config")
    if not isinstance(said, dict):
        return config, None
    method = ascii(said.get("quant_method", "a method it does not name"))[:40].strip("'")
    packed = [n for n, d in weights.dtypes.items() if d not in FLOATS.values() and not spare(n)]
    if packed:
        return config, (
            f"Its weights are quantized ({method}): {packed[0]} is stored as "
            f"{str(weights.dtypes[packed[0]]).removeprefix('torch.')}, and only float64, float32, float16 and bfloat16 "
            "are read. Open it with transformers, call dequantize() on the model, and save that."
        )
    candidate.inferred.append(
        f"Its configuration speaks of quantization ({method}), and its weights are plain {weights.precision}: they are "
        "read as they are."
    )
    return {key: value for key, value in config.items() if key != "quantization_config"}, None


def _run_length(found: Foreign, run: RunArguments) -> tuple[int | None, str | None]:
    """The segment length from the run's arguments, given or by input_size, which counts memory and marks too."""
    length, size = run.get("segment_size", "segment_length"), run.get("input_size")
    if isinstance(length, int):
        return length, f"segment_size in {run.file.name}"
    if isinstance(size, int) and found.cell == "rmt":
        m = found.options["n_memory"]
        return size - (
            2 * m if found.kind != "BERT RMT classifier" else m + 3
        ), f"input_size in {run.file.name}, less memory"
    return None, None


def _cell_options(found: Foreign, run: RunArguments, given: dict, candidate: Candidate) -> dict:
    """What shapes tell of the memory cell, then the run's arguments, then the caller's options."""
    options = dict(found.options)
    if found.cell == "rmt-r":
        said = {"n_memory": run.get("num_write_mem_tokens"), "retrieve": run.get("retrieve_mode")}
        options |= {key: value for key, value in said.items() if value is not None}
        unsaid = {
            "n_memory": "How many memory tokens are written",
            "retrieve": "Whether the past is retrieved by attention or top_1",
        }
        for key, what in unsaid.items():
            if key not in {**options, **given}:
                candidate.ask(key, f"{what} is in no file; tell it as it was in training.")
        if "n_memory" not in {**options, **given}:  # a stand-in, so that the rest can be checked
            options["n_memory"], candidate.n_memory_known = options["n_read"], False
    if found.cell == "armt":
        options["correction"] = run.get("correction") is not False
        if "correction" not in given and run.get("correction") is None:
            candidate.inferred.append("The correction of z is taken to be on, as in the published models.")
    unknown = given.keys() - set(OPTIONS.get(found.cell, ()))
    if unknown:
        raise InputError(f"A {found.kind} has no option {', '.join(map(str, unknown))} to be told; leave it out.")
    return {**options, **given}


def _fit(candidate: Candidate, ours: bool) -> Model:
    """The model on the meta device, once every tensor is seen to fit it; nothing of its size is allocated."""
    weights = candidate.weights
    if candidate.choice is not None:
        return _fit_stock(candidate)
    _same_depth(candidate)
    model, extra = _empty(candidate), []
    if not ours:
        candidate.sources, extra = translate(candidate.found, weights, model.backbone.model)
        candidate.ignored = [name for name in extra if spare(name) and not candidate.found.marks]
    _check_types({name for source in candidate.sources.values() for name in source.names}, weights)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    lost, wrong = [], []
    for first, names in shared(model).items():
        held = [name for name in names if name in candidate.sources]
        if not held and 0 not in wanted[first]:
            lost.append(first)
        wrong += [name for name in held if _shape(candidate.sources[name], weights) != wanted[name]]
        wrong += [name for name in held if len({weights.shapes[n] for n in candidate.sources[name].names}) > 1]
    extra = [*(candidate.sources.keys() - wanted.keys()), *(name for name in extra if not spare(name))]
    if lost or wrong or extra:
        raise InputError(_misfit(candidate, lost, wrong, extra, wanted))
    return model


def _fit_stock(candidate: Candidate) -> Model:
    choice, weights = candidate.choice, candidate.weights
    whole = {n for n, t in choice.fit.empty.state_dict().items() if not t.is_floating_point()}  # tables of numbers
    _check_types({n for n in weights.shapes if n not in choice.fit.extra and not _ends(n, whole)}, weights)
    lost, wrong, extra = lacking(choice), list(choice.fit.wrong), surplus(choice)
    if lost or extra:
        _same_depth(candidate)
    if lost or wrong or extra:
        wanted = {name: tuple(tensor.shape) for name, tensor in choice.fit.empty.state_dict().items()}
        raise InputError(_misfit(candidate, lost, wrong, extra, wanted))
    return _empty(candidate, choice.fit.empty)


def _ends(name: str, others: set[str]) -> bool:
    return any(name.rpartition(".")[2] == other.rpartition(".")[2] for other in others)


def _check_types(names: set[str], weights: Weights) -> None:
    for name in sorted(names):
        if weights.dtypes[name] not in FLOATS.values() and not spare(name):
            raise InputError(
                f"{weights.files[0].name} stores {name} as {str(weights.dtypes[name]).removeprefix('torch.')}; only "
                "float64, float32, float16 and bfloat16 are read. Save it in one of those."
            )


def _empty(candidate: Candidate, stock=None) -> Model:
    try:
        with torch.device("meta"):
            return build(candidate.config, stock=stock)
    except InputError:
        raise
    except Exception as error:  # whatever a configuration makes a model's constructor trip over
        raise InputError(
            f"transformers makes no model of the configuration of {candidate.path} ({ascii(error)[:120]}); look at its "
            "config.json."
        ) from None


def _same_depth(candidate: Candidate) -> None:
    config = candidate.config["backbone"]["config"]
    said = next((config[key] for key in ("num_hidden_layers", "n_layer") if key in config), None)
    held = n_layers(candidate.weights)
    if isinstance(said, int) and said != held and held:
        raise InputError(
            f"{candidate.path} holds {held} layers and the backbone's configuration says {said}: it is of another. "
            "Give the configuration it was trained with."
        )


def _shape(source: Source, weights: Weights) -> tuple[int, ...]:
    """The shape a source gives, without reading it."""
    shape = weights.shapes[source.names[0]]
    return (len(range(*slice(source.first, source.last).indices(shape[0]))), *shape[1:]) if shape else shape


def _misfit(candidate: Candidate, lost: list, wrong: list, extra: list, wanted: dict) -> str:
    parts = []
    if lost:
        parts.append(f"{len(lost)} tensors missing ({', '.join(lost[:3])})")
    if extra:
        parts.append(f"{len(extra)} unexpected ({', '.join(extra[:3])})")
    if wrong:
        name = wrong[0]
        source = candidate.sources.get(name)
        held = (
            f"{name} is {_shape(source, candidate.weights)}, not {wanted[name]}"
            if source
            else f"{name} is to be {wanted.get(name)}"
        )
        parts.append(f"{len(wrong)} of another shape ({held})")
    return (
        f"{candidate.weights.files[0]} does not fit its configuration, {candidate.backbone_from}: {'; '.join(parts)}. "
        "Give the weights and the configuration of one run."
    )
