"""Checkpoints that hold a whole model: reading all of them, and writing ours.

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
from rmt.checkpoint.examine import OURS, Candidate, examine
from rmt.checkpoint.locate import printable
from rmt.checkpoint.peft_folder import merge
from rmt.checkpoint.report import Report, how_to_tell, report
from rmt.errors import InputError
from rmt.files import written_whole
from rmt.model import Model
from rmt.text.tokenizer import Vocabulary, open_tokenizer, open_vocabulary


def save(model: Model, config: dict, folder: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a checkpoint folder; the weights last, so that a folder with weights is whole.

    dtype: what numbers are stored as, the model's own by default; `load` makes them float32 again. A configuration
    that says it shares a tokenizer gets none of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / "config.json") as part:
        part.write_text(json.dumps({"format": FORMAT, **config}, indent=1) + "\n")
    if model.tokenizer is not None and config.get("tokenizer") != SHARED_TOKENIZER:
        with written_whole(folder / TOKENIZER) as part:
            model.tokenizer.save(str(part))
    tensors = unshared(model)
    if dtype:
        tensors = {name: v.to(dtype) if v.is_floating_point() else v for name, v in tensors.items()}
    with written_whole(folder / "model.safetensors") as part:
        save_file(tensors, part)


def load(folder: Path, asked, *, device=None, **given) -> Model:
    """Open what lies in a folder that somebody asked for under a name; see `rmt.checkpoint.load`."""
    candidate, model = _empty(folder, asked, filled=True, **given)
    if candidate.choice is None:
        _fill(model, candidate)
    if candidate.found.kind != OURS:
        trial.run(model)
    model.about.trained, model.about.fingerprint = True, candidate.weights.fingerprint()
    return place(model, device)


def fresh(folder: Path, asked, *, seed: int, **given) -> Model:
    """The same model with weights that were never trained, on the CPU."""
    return _empty(folder, asked, seed=seed, **given)[1]


def inspect(folder: Path, **given) -> Report:
    """The report of such a checkpoint; where nothing is missing to run it, one segment was read and recorded."""
    candidate, empty = examine(folder, **given)
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
    model = load(folder, folder, device="cpu", **given)
    return report(candidate, empty, trial.record_one(model, candidate.segment_length))


def _empty(folder: Path, asked, *, seed: int | None = None, filled: bool = False, **given) -> tuple[Candidate, Model]:
    """What lies at a place that somebody asked for, and its model on the CPU, with fresh weights.

    filled: of a stock model with its own.
    """
    candidate, empty = examine(folder, **given)
    words = _vocabulary(candidate, empty) if empty else None
    if candidate.missing:
        told = " ".join([*candidate.missing, how_to_tell(candidate.asks)])
        raise InputError(f"{printable(asked)} cannot be run yet. {told}")
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
    """The stock model with its weights, whose tied tensors are equal in the file."""
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
    """Copy every tensor into its place; a model is handed out only when the last has been."""
    target = model.state_dict()
    for name, tensor in _values(model, candidate):
        with torch.no_grad():
            target[name].copy_(tensor)


def _values(model: Model, candidate: Candidate) -> Iterator[tuple[str, torch.Tensor]]:
    """Our tensors from the file, each once; finite, and equal wherever the file has one of them twice."""
    for names in shared(model).values():
        held = [name for name in names if name in candidate.sources]
        read = [candidate.sources[name].read(candidate.weights, candidate.lora_scale or 0.0) for name in held]
        if any(not torch.equal(read[0], other) for other in read[1:]):
            raise InputError(
                f"{' and '.join(held)} are tied in this backbone and differ in the file; set tie_word_embeddings to "
                "false in its configuration, or give the file it belongs to."
            )
        if read:
            yield names[0], read[0]


def _vocabulary(candidate: Candidate, empty: Model) -> Vocabulary | None:
    """The checkpoint's tokenizer; what is missing grows by a line where an encoder's marks are in it and it is not."""
    ours = candidate.tokenizer is not None and candidate.choice is None and candidate.tokenizer.name == TOKENIZER
    found = None
    if candidate.tokenizer:
        found = Vocabulary(open_tokenizer(candidate.tokenizer)) if ours else open_vocabulary(candidate.tokenizer)
    spec, tokenizer = candidate.config["backbone"], found.tokenizer if found else None
    for key, names in MARKS.items():
        told = (
            spec.get(key),
            getattr(found, key, None),
            mark_id(tokenizer, names),
            spec["config"].get(f"{key[:3]}_token_id"),
        )
        mark = next((i for i in told if isinstance(i, int)), None)
        if mark is not None:
            spec[key] = mark
    if not empty.backbone.causal and any(spec.get(key) is None for key in MARKS):
        candidate.missing.append(
            "Which tokens are [CLS] and [SEP] is in no file that was found: put the model's tokenizer "
            "(tokenizer.json or vocab.txt) beside the weights."
        )
    if found is None:
        return None
    rows = empty.backbone.model.get_input_embeddings().num_embeddings
    plain_size, size = (tokenizer.get_vocab_size(with_added_tokens=added) for added in (False, True))
    if plain_size > rows:
        raise InputError(f"{candidate.tokenizer} knows {plain_size} tokens, the model {rows}; give its own.")
    if size > rows:
        candidate.inferred.append(f"Its tokenizer has {size - rows} added tokens that the model has no embeddings for.")
    if candidate.choice is None or not empty.backbone.causal:
        return replace(found, before=(), after=())
    if found.before or found.after:
        _tell_around(candidate, found)
    return found if candidate.special_tokens else replace(found, before=(), after=())


def _tell_around(candidate: Candidate, found: Vocabulary) -> None:
    names = [" ".join(str(found.tokenizer.id_to_token(i)) for i in ids) for ids in (found.before, found.after)]
    ways = [f"{way} {name}" for way, name in zip(("begins with", "ends with"), names, strict=True) if name]
    told = f"A text {' and '.join(ways)}, as its tokenizer has it"
    if candidate.special_tokens:
        candidate.inferred.append(f"{told}; the option special_tokens=no leaves that out.")
    else:
        candidate.inferred.append(f"{told}; that is left out, as you asked.")


def check_room(model: Model, segment_length: int) -> None:
    """A learned position table must hold a segment with its memory."""
    table, room = model.backbone.n_positions, model.cell.room(model.backbone.causal)
    if table is not None and segment_length + room > table:
        raise InputError(
            f"The backbone has {table} positions, of which memory takes {room}: a segment may hold {table - room} "
            f"tokens, not {segment_length}. Choose shorter segments."
        )


def place(model: Model, device) -> Model:
    """The model on a device, CUDA where there is one by default, ready to be run and not to be trained."""
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu")).requires_grad_(False)
