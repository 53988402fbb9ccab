"""Examine a checkpoint before its tensors are allocated: what it is, what was inferred and what is missing."""

from dataclasses import replace
from pathlib import Path

from rmt.checkpoint import package_rmt
from rmt.checkpoint.backbone_config import RunArguments, backbone_config, beside, fit_tables, read_run
from rmt.checkpoint.build import COUNTS, FORMAT, check_config, check_counts, read_config, tokenizer_file
from rmt.checkpoint.candidate import OURS, Candidate
from rmt.checkpoint.fits import empty_model
from rmt.checkpoint.heads import CLASSIFIER, by_tensors, choose, labels
from rmt.checkpoint.locate import locate
from rmt.checkpoint.own_state import own_cell
from rmt.checkpoint.peft_folder import find_adapter, find_base, joined
from rmt.checkpoint.recognise import PACKAGE, Foreign, Source, recognise, spare
from rmt.checkpoint.weights import FLOATS, Weights, find_weights, inner_checkpoints, open_weights, read_json
from rmt.errors import InputError
from rmt.memory import mechanism
from rmt.model import Model
from rmt.text.tokenizer import find_tokenizer

OPTIONS = {"rmt-r": ("n_memory", "retrieve"), "armt": ("correction", "wrapped", "nu")}  # not implied by shapes


def examine(path, *, segment_length=None, backbone=None, options: dict | None = None) -> tuple[Candidate, Model | None]:
    """Examine the checkpoint at a path or under a hub name; also build its model on the meta device.

    The model is None where no backbone is known. options: of the memory cell, and lora_alpha and alignment, where no
    file holds them. Raises InputError for what is no checkpoint, or where tensors do not fit the configuration.
    """
    place = locate(path)
    ours = place.is_dir() and (place / "config.json").is_file() and "format" in read_json(place / "config.json")
    candidate = _own(place) if ours else _foreign(place, backbone, dict(options or {}))
    if ours and (backbone is not None or options):
        raise InputError(f"{place} says itself what its backbone and memory are; leave out backbone= and options=.")
    if segment_length is not None:
        candidate.segment_length, candidate.segment_length_from = segment_length, "the caller"
    if candidate.segment_length is None:
        question = "How many tokens a segment holds is in no file; tell it as it was in training."
        if candidate.recognised.cell == "none":
            question = (
                "A model without memory was not trained in segments; choose how many tokens a segment is to hold."
            )
        elif mechanism(candidate.recognised.cell).backbone:
            question = "A recurrent net reads the same however a text is cut; choose how many tokens a segment holds."
        candidate.ask("segment_length", question)
    elif candidate.segment_length < 1:
        raise InputError(f"A segment holds one token or more, not {candidate.segment_length}.")
    return candidate, None if candidate.config is None else empty_model(candidate, ours)


def _own(folder: Path) -> Candidate:
    """The candidate of a checkpoint of this program."""
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
    """The candidate of another program's checkpoint, with an adapter of peft where there is one."""
    place, notes = _inside(place)
    folder_given, adapter = place, find_adapter(place)
    if adapter is not None:
        place, backbone = find_base(adapter, backbone), None
    files = find_weights(place)
    weights = open_weights(files)
    recognised, configs = recognise(weights), beside(files[0])
    run = read_run(configs)
    candidate = Candidate(folder_given, recognised, weights, adapter=adapter)
    if adapter is not None:
        if recognised.cell != "none" or recognised.lora:
            raise InputError(
                f"{folder_given} is an adapter of peft on a {recognised.kind}; only those on stock models are merged."
            )
        candidate.weights = weights = joined(adapter, weights)
        candidate.inferred.append(adapter.describe(place))
    candidate.inferred += notes
    candidate.segment_length, candidate.segment_length_from = _run_length(recognised, run)
    alignment = options.pop("alignment", None) or run.get("segment_alignment") or recognised.alignment
    alpha = options.pop("lora_alpha", None) or run.get("lora_alpha", "lora_attn_alpha")
    if recognised.lora and alpha is None:
        candidate.ask("lora_alpha", "LoRA's alpha is in no file; tell it as it was in training.")
    candidate.special_tokens = options.pop("special_tokens", True) is not False
    own_state = options.pop("own_state", False) is True
    candidate.lora_scale = alpha / recognised.lora if recognised.lora and alpha else None
    cell = _cell_options(recognised, run, options, candidate)
    if recognised.kind == PACKAGE:
        stock = _package(candidate, run, backbone, options)
    else:
        stock = backbone_config(backbone, configs, run, recognised, weights)
    if stock is None:
        candidate.ask(
            "backbone",
            "The backbone's configuration is in no file; tell which it is, by a folder with config.json or a name such "
            "as gpt2.",
        )
        return candidate
    config, candidate.backbone_from, folder = stock
    config, implied, sentences = fit_tables(config, recognised, weights)
    candidate.inferred += sentences
    near = [path if path.is_dir() else path.parent for path in (folder_given, place)]
    places = [near[0], files[0].parent, near[1], folder]
    candidate.tokenizer = next((f for p in places if p and (f := find_tokenizer(p))), None)
    check_counts({key: config[key] for key in COUNTS if key in config}, place)  # before any layer is made
    config, unreadable = _quantized(config, weights, candidate)
    if unreadable:
        raise InputError(f"{place} cannot be run. {unreadable}")
    classes, answers, on_classes = [], "one", []
    if any(CLASSIFIER.search(name) for name in weights.shapes):
        config, classes, on_classes, answers = labels(config, weights)
    if recognised.cell == "none" and not recognised.lora:
        head = _stock(candidate, config, weights)
        config = candidate.choice.config
    else:
        head = by_tensors(config, weights)
    if head == "classify":
        candidate.inferred += on_classes
    else:
        classes, answers = [], "one"
    if recognised.cell == "none":
        own = own_cell(config["model_type"], own_state, str(place))
        if own != "none":
            candidate.recognised = recognised = replace(recognised, kind="stock model", cell=own)
    candidate.config = check_config(
        {
            "format": FORMAT,
            "cell": {"kind": recognised.cell, "options": {**implied, **cell}},
            "segment_length": candidate.segment_length,
            "alignment": alignment,
            "backbone": {"head": head, "config": config, **recognised.marks},
            "classes": classes,
            **({} if answers == "one" else {"answers": answers}),
        },
        place,
    )
    return candidate


def _inside(place: Path) -> tuple[Path, list[str]]:
    """Find the weights inside a training run's folder: the latest checkpoint, and sentences about the others."""
    inner = inner_checkpoints(place)
    if not inner:
        return place, []
    names = ", ".join(str(f.relative_to(place)) for f in inner[-5:]) + (", and earlier ones" if len(inner) > 5 else "")
    try:
        has_own = find_adapter(place) is not None or find_weights(place)[0].parent == place
    except InputError:
        has_own = False
    if has_own:
        return place, [f"Beside the weights lie those of earlier moments of the run, in {names}; give one to see that."]
    latest = inner[-1]
    if len(inner) == 1:
        return latest, [f"Its weights are in {latest.relative_to(place)}."]
    return latest, [
        f"It holds {len(inner)} checkpoints ({names}); this is {latest.relative_to(place)}, the latest. Give another "
        "to see that."
    ]


def _stock(candidate: Candidate, config: dict, weights: Weights) -> str:
    """Choose the class of transformers that the tensors of a stock model fit; return its head."""
    try:
        candidate.choice = choose(config, weights, candidate.adapter.head if candidate.adapter else None)
    except InputError as error:
        raise InputError(f"{candidate.path} cannot be run. {error}") from None
    candidate.weights = candidate.choice.weights
    candidate.inferred += candidate.choice.said
    candidate.ignored = candidate.choice.left_out
    return candidate.choice.head


def _quantized(config: dict, weights: Weights, candidate: Candidate) -> tuple[dict, str | None]:
    """Drop the quantization from a configuration: (config, why the weights cannot be read, None where they can)."""
    quantization = config.get("quantization_config")
    if not isinstance(quantization, dict):
        return config, None
    method = ascii(quantization.get("quant_method", "a method it does not name"))[:40].strip("'")
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


def _package(candidate: Candidate, run: RunArguments, backbone: str | None, options: dict) -> tuple[dict, str, None]:
    """Its decoder's configuration, as `backbone_config` gives it."""
    if backbone is not None:
        raise InputError(f"A {PACKAGE} has a decoder of its own, whose sizes its tensors tell; leave out the backbone.")
    config = package_rmt.sizes(candidate.recognised, candidate.weights)
    package_rmt.check_told(run, options, config)
    candidate.inferred += package_rmt.said(run, options)
    if candidate.segment_length is None:
        told = config["n_positions"], "its position table (seq_len)"
        if told[0] is None:
            told = run.get("seq_len"), "seq_len in its config.json"
        candidate.segment_length, candidate.segment_length_from = told if isinstance(told[0], int) else (None, None)
    return config, "the shapes of its tensors", None


def _run_length(recognised: Foreign, run: RunArguments) -> tuple[int | None, str | None]:
    """The segment length in the run's arguments, and its source; input_size counts memory and marks, too."""
    length, size = run.get("segment_size", "segment_length"), run.get("input_size")
    if isinstance(length, int):
        return length, f"segment_size in {run.file.name}"
    if isinstance(size, int) and recognised.cell == "rmt":
        m = recognised.options["n_memory"]
        return size - (
            2 * m if recognised.kind != "BERT RMT classifier" else m + 3
        ), f"input_size in {run.file.name}, less memory"
    return None, None


def _cell_options(recognised: Foreign, run: RunArguments, given: dict, candidate: Candidate) -> dict:
    """The memory cell's options: from the shapes, then the run's arguments, then the caller, the last one counts."""
    options = dict(recognised.options)
    if recognised.cell == "rmt-r":
        from_run = {"n_memory": run.get("num_write_mem_tokens"), "retrieve": run.get("retrieve_mode")}
        options |= {key: value for key, value in from_run.items() if value is not None}
        questions = {
            "n_memory": "How many memory tokens are written",
            "retrieve": "Whether the past is retrieved by attention or top_1",
        }
        for key, what in questions.items():
            if key not in {**options, **given}:
                candidate.ask(key, f"{what} is in no file; tell it as it was in training.")
        if "n_memory" not in {**options, **given}:  # a stand-in, so that the rest can be checked
            options["n_memory"], candidate.n_memory_known = options["n_read"], False
    if recognised.cell == "armt":
        options["correction"] = run.get("correction") is not False
        if "correction" not in given and run.get("correction") is None:
            candidate.inferred.append("The correction of z is taken to be on, as in the published models.")
    known = OPTIONS.get(recognised.cell, ())
    if recognised.kind == PACKAGE:
        known = package_rmt.OPTIONS
        told = {key: run.arguments[key] for key in package_rmt.OPTIONS if isinstance(run.arguments.get(key), bool)}
        options |= told
        for key in package_rmt.OPTIONS:
            if key not in {**told, **given}:
                candidate.ask(key, package_rmt.ASKED[key])
        given = {k: v for k, v in given.items() if k not in package_rmt.ONLY}
    unknown = given.keys() - set(known)
    if unknown:
        raise InputError(f"A {recognised.kind} has no option {', '.join(map(str, unknown))} to be told; leave it out.")
    return {**options, **given}
