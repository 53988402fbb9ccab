"""Checkpoints that hold a whole model: read ours and other programs', and write ours.

Ours are a folder with config.json, model.safetensors and tokenizer.json, and nothing pickled.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from rmt.checkpoint import stock, trial
from rmt.checkpoint.build import FORMAT, MARKS, SHARED_TOKENIZER, TOKENIZER, build, mark_id, shared, unshared
from rmt.checkpoint.candidate import OURS, Candidate
from rmt.checkpoint.examine import examine
from rmt.checkpoint.locate import printable
from rmt.checkpoint.peft_folder import merge
from rmt.checkpoint.report import Report, how_to_tell, report
from rmt.errors import InputError
from rmt.files import written_whole
from rmt.model import Model
from rmt.text.tokenizer import Vocabulary, open_tokenizer, open_vocabulary


def save(model: Model, config: dict, folder: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a checkpoint folder, the weights last, so that a folder with weights is complete.

    dtype: the type that numbers are stored in, by default the model's; `load` converts them to float32. Where the
    configuration says that the tokenizer is shared, none is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / "config.json") as part:
        part.write_text(json.dumps({"format": FORMAT, **config}, indent=1) + "\n")
    if model.tokenizer is not None and config.get("tokenizer") != SHARED_TOKENIZER:
        with written_whole(folder / TOKENIZER) as part:
            model.tokenizer.save(str(part), pretty=False)
    tensors = unshared(model)
    if dtype:
        tensors = {name: v.to(dtype) if v.is_floating_point() else v for name, v in tensors.items()}
    with written_whole(folder / "model.safetensors") as part:
        save_file(tensors, part)


def load(folder: Path, name, *, device=None, **options) -> Model:
    """Load a whole model from a folder; `name` is what the user typed, for errors. See `rmt.checkpoint.load`."""
    candidate, model = _empty(folder, name, filled=True, **options)
    if candidate.choice is None:
        _fill(model, candidate)
    if candidate.recognised.kind != OURS:
        trial.run(model)
    model.about.trained, model.about.fingerprint = True, candidate.weights.fingerprint()
    return place(model, device)


def fresh(folder: Path, name, *, seed: int, **options) -> Model:
    """Build the model of a checkpoint with fresh, untrained weights, on the CPU."""
    return _empty(folder, name, seed=seed, **options)[1]


def inspect(folder: Path, **options) -> Report:
    """Report on a whole model; where nothing is missing to run it, one segment is read and recorded as a trial."""
    candidate, empty = examine(folder, **options)
    if empty is not None:
        _vocabulary(candidate, empty)
        if candidate.segment_length:
            check_room(empty, candidate.segment_length)
    if empty is None or candidate.missing:
        for name in candidate.weights.shapes:
            candidate.weights.tensor(name)
        return report(candidate, empty)
    numbers = sum(p.numel() for p in empty.parameters())
    too_large = trial.room_for(numbers)
    if too_large:
        for name in candidate.weights.shapes:
            candidate.weights.tensor(name)
        return report(candidate, empty, untried=too_large)
    model = load(folder, folder, device="cpu", **options)
    return report(candidate, empty, trial.record_one(model, candidate.segment_length))


def _empty(folder: Path, name, *, seed: int | None = None, filled: bool = False, **options) -> tuple[Candidate, Model]:
    """Examine a folder and build its model on the CPU with fresh weights. Raises InputError if something is missing.

    filled: give a stock model its own weights, which transformers' loader reads.
    """
    candidate, empty = examine(folder, **options)
    words = _vocabulary(candidate, empty) if empty else None
    if candidate.missing:
        problems = " ".join([*candidate.missing, how_to_tell(candidate.asks)])
        raise InputError(f"{printable(name)} cannot be run yet. {problems}")
    check_room(empty, candidate.segment_length)
    if seed is not None:
        torch.manual_seed(seed)
    whole = filled_stock(candidate) if filled and candidate.choice is not None else None
    config = {**candidate.config, "segment_length": candidate.segment_length}
    model = build(config, words and words.tokenizer, stock=whole)
    model.around = (words.before, words.after) if words else ((), ())
    model.about.name, model.about.source = candidate.path.resolve().name, str(candidate.path)
    return candidate, model


def filled_stock(candidate: Candidate) -> nn.Module:
    """Load a stock model with its weights. Raises InputError where tied tensors differ in the file."""
    choice = candidate.choice
    model = stock.fill(choice.cls, choice.stock, candidate.weights)
    state = model.state_dict()
    for names in shared(choice.fit.empty).values():
        held = [name for name in names if name in candidate.weights.shapes]
        if any(state[name].data_ptr() != state[names[0]].data_ptr() for name in names[1:]) and len(held) > 1:
            raise InputError(
                f"{' and '.join(held)} are tied in this backbone and differ in the file; set tie_word_embeddings to "
                "false in its configuration, or give the file it belongs to."
            )
    return merge(model, candidate.adapter) if candidate.adapter else model


def _fill(model: Model, candidate: Candidate) -> None:
    """Copy every tensor of the checkpoint into the model."""
    target = model.state_dict()
    for name, tensor in _values(model, candidate):
        with torch.no_grad():
            target[name].copy_(tensor)


def _values(model: Model, candidate: Candidate) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the name and value of each of our tensors, once each. Raises InputError where tied copies differ."""
    for names in shared(model).values():
        held = [name for name in names if name in candidate.sources]
        copies = [candidate.sources[name].read(candidate.weights, candidate.lora_scale or 0.0) for name in held]
        if any(not torch.equal(copies[0], other) for other in copies[1:]):
            raise InputError(
                f"{' and '.join(held)} are tied in this backbone and differ in the file; set tie_word_embeddings to "
                "false in its configuration, or give the file it belongs to."
            )
        if copies:
            yield names[0], copies[0]


def _vocabulary(candidate: Candidate, empty: Model) -> Vocabulary | None:
    """Open the checkpoint's tokenizer; where an encoder's [CLS] and [SEP] are unknown, `candidate.missing` says so."""
    ours = candidate.tokenizer is not None and candidate.choice is None and candidate.tokenizer.name == TOKENIZER
    vocabulary = None
    if candidate.tokenizer:
        vocabulary = Vocabulary(open_tokenizer(candidate.tokenizer)) if ours else open_vocabulary(candidate.tokenizer)
    spec, tokenizer = candidate.config["backbone"], vocabulary.tokenizer if vocabulary else None
    for key, names in MARKS.items():
        possible_ids = (
            spec.get(key),
            getattr(vocabulary, key, None),
            mark_id(tokenizer, names),
            spec["config"].get(f"{key[:3]}_token_id"),
        )
        mark = next((i for i in possible_ids if isinstance(i, int)), None)
        if mark is not None:
            spec[key] = mark
    if not empty.backbone.causal and any(spec.get(key) is None for key in MARKS):
        candidate.missing.append(
            "Which tokens are [CLS] and [SEP] is in no file that was found: put the model's tokenizer "
            "(tokenizer.json or vocab.txt) beside the weights."
        )
    if vocabulary is None:
        return None
    rows = empty.backbone.model.get_input_embeddings().num_embeddings
    plain_size, size = (tokenizer.get_vocab_size(with_added_tokens=added) for added in (False, True))
    if plain_size > rows:
        raise InputError(f"{candidate.tokenizer} knows {plain_size} tokens, the model {rows}; give its own.")
    if size > rows:
        candidate.inferred.append(f"Its tokenizer has {size - rows} added tokens that the model has no embeddings for.")
    if candidate.choice is None or not empty.backbone.causal:
        return replace(vocabulary, before=(), after=())
    if vocabulary.before or vocabulary.after:
        _tell_around(candidate, vocabulary)
    return vocabulary if candidate.special_tokens else replace(vocabulary, before=(), after=())


def _tell_around(candidate: Candidate, vocabulary: Vocabulary) -> None:
    """Add a sentence to `candidate.inferred` about the tokens that the tokenizer puts around a text."""
    names = [
        " ".join(str(vocabulary.tokenizer.id_to_token(i)) for i in ids) for ids in (vocabulary.before, vocabulary.after)
    ]
    edges = [f"{edge} {name}" for edge, name in zip(("begins with", "ends with"), names, strict=True) if name]
    candidate.around = " and ".join(edges)
    sentence = f"A text {candidate.around}, as its tokenizer has it"
    if candidate.special_tokens:
        candidate.inferred.append(f"{sentence}; the option special_tokens=no leaves that out.")
    else:
        candidate.inferred.append(f"{sentence}; that is left out, as you asked.")


def check_room(model: Model, segment_length: int) -> None:
    """Raise InputError where a learned position table is too short for a segment and its memory."""
    table, room = model.backbone.n_positions, model.cell.room(model.backbone.causal)
    if table is not None and segment_length + room > table:
        raise InputError(
            f"The backbone has {table} positions, of which memory takes {room}: a segment may hold {table - room} "
            f"tokens, not {segment_length}. Choose shorter segments."
        )


def place(model: Model, device) -> Model:
    """Move the model to a device (by default CUDA where there is one) and turn off gradients of its parameters."""
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).requires_grad_(False)
