"""Check that the tensors of a checkpoint fit the model of its configuration, without allocating any of them."""

import torch

from rmt.checkpoint import package_rmt
from rmt.checkpoint.backbone_config import n_layers
from rmt.checkpoint.build import build, shared
from rmt.checkpoint.candidate import Candidate
from rmt.checkpoint.heads import lacking, not_run, surplus
from rmt.checkpoint.recognise import PACKAGE, Source, spare, translate
from rmt.checkpoint.weights import FLOATS, Weights
from rmt.errors import InputError
from rmt.model import Model


def empty_model(candidate: Candidate, ours: bool) -> Model:
    """Build the candidate's model on the meta device. Raises InputError where a tensor does not fit it."""
    weights = candidate.weights
    if candidate.choice is not None:
        return _fit_stock(candidate)
    _same_depth(candidate)
    model, extra = _empty(candidate), []
    if not ours:
        if candidate.recognised.kind == PACKAGE:
            candidate.sources = package_rmt.sources(candidate.recognised, weights)
        else:
            candidate.sources, extra = translate(candidate.recognised, weights, model.backbone.model)
        candidate.ignored = [name for name in extra if spare(name) and not candidate.recognised.marks]
    _check_types({name for source in candidate.sources.values() for name in source.names}, weights)
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    missing, wrong = [], []
    for first, names in shared(model).items():
        in_file = [name for name in names if name in candidate.sources]
        if not in_file and 0 not in wanted[first]:
            missing.append(first)
        wrong += [name for name in in_file if _shape(candidate.sources[name], weights) != wanted[name]]
        wrong += [name for name in in_file if len({weights.shapes[n] for n in candidate.sources[name].names}) > 1]
    extra = [*(candidate.sources.keys() - wanted.keys()), *(name for name in extra if not spare(name))]
    if missing or wrong or extra:
        raise InputError(_misfit(candidate, missing, wrong, extra, wanted))
    return model


def _fit_stock(candidate: Candidate) -> Model:
    """The same of a stock model, whose class compared its tensors already."""
    choice, weights = candidate.choice, candidate.weights
    integer_tables = {n for n, t in choice.fit.empty.state_dict().items() if not t.is_floating_point()}
    _check_types({n for n in weights.shapes if n not in choice.fit.extra and not _ends(n, integer_tables)}, weights)
    missing, wrong, extra = lacking(choice), list(choice.fit.wrong), surplus(choice)
    if (missing or wrong or extra) and (reason := not_run(choice)):
        raise InputError(f"{candidate.path} cannot be run. {reason}")
    if missing or extra:
        _same_depth(candidate)
    if missing or wrong or extra:
        wanted = {name: tuple(tensor.shape) for name, tensor in choice.fit.empty.state_dict().items()}
        raise InputError(_misfit(candidate, missing, wrong, extra, wanted))
    return _empty(candidate, choice.fit.empty)


def _ends(name: str, others: set[str]) -> bool:
    """Whether the last part of a tensor's name is that of one of the others."""
    return any(name.rpartition(".")[2] == other.rpartition(".")[2] for other in others)


def _check_types(names: set[str], weights: Weights) -> None:
    """Raise InputError where one of these tensors is not stored as floating-point numbers."""
    for name in sorted(names):
        if weights.dtypes[name] not in FLOATS.values() and not spare(name):
            raise InputError(
                f"{weights.files[0].name} stores {name} as {str(weights.dtypes[name]).removeprefix('torch.')}; only "
                "float64, float32, float16 and bfloat16 are read. Save it in one of those."
            )


def _empty(candidate: Candidate, stock=None) -> Model:
    """Build the model on the meta device. Raises InputError where transformers cannot."""
    try:
        with torch.device("meta"):
            return build(candidate.config, stock=stock)
    except InputError:
        raise
    except Exception as error:  # a wrong configuration can make a constructor raise anything
        raise InputError(
            f"transformers makes no model of the configuration of {candidate.path} ({ascii(error)[:120]}); look at its "
            "config.json."
        ) from None


def _same_depth(candidate: Candidate) -> None:
    """Raise InputError where the file and its configuration have different numbers of layers."""
    config = candidate.config["backbone"]["config"]
    configured = next((config[key] for key in ("num_hidden_layers", "n_layer") if key in config), None)
    in_file = n_layers(candidate.weights)
    if isinstance(configured, int) and configured != in_file and in_file:
        raise InputError(
            f"{candidate.path} holds {in_file} layers and the backbone's configuration says {configured}: it is of "
            "another. Give the configuration it was trained with."
        )


def _shape(source: Source, weights: Weights) -> tuple[int, ...]:
    """The shape of a tensor that a source gives, without reading it."""
    shape = weights.shapes[source.names[0]]
    return (len(range(*slice(source.first, source.last).indices(shape[0]))), *shape[1:]) if shape else shape


def _misfit(candidate: Candidate, missing: list, wrong: list, extra: list, wanted: dict) -> str:
    """The sentence about tensors that are missing, of another shape, or unexpected. wanted: the model's shapes."""
    parts = []
    if missing:
        parts.append(f"{len(missing)} tensors missing ({', '.join(missing[:3])})")
    if extra:
        parts.append(f"{len(extra)} unexpected ({', '.join(extra[:3])})")
    if wrong:
        name = wrong[0]
        source = candidate.sources.get(name)
        difference = (
            f"{name} is {_shape(source, candidate.weights)}, not {wanted[name]}"
            if source
            else f"{name} is to be {wanted.get(name)}"
        )
        parts.append(f"{len(wrong)} of another shape ({difference})")
    return (
        f"{candidate.weights.files[0]} does not fit its configuration, {candidate.backbone_from}: {'; '.join(parts)}. "
        "Give the weights and the configuration of one run."
    )
