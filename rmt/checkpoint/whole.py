"""Checkpoints that hold a whole model: reading all of them, and writing ours.

Ours are a folder with config.json, model.safetensors and tokenizer.json, and nothing pickled.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from rmt.checkpoint.build import FORMAT, MARKS, SHARED_TOKENIZER, TOKENIZER, build, mark_id, shared, unshared
from rmt.checkpoint.examine import Candidate, examine
from rmt.checkpoint.locate import printable
from rmt.checkpoint.report import Report, how_to_tell, report
from rmt.errors import InputError
from rmt.model import Model
from rmt.text.tokenizer import open_tokenizer


def save(model: Model, config: dict, folder: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write a checkpoint folder; the weights last, so that a folder with weights is whole.

    dtype: what numbers are stored as, the model's own by default; `load` makes them float32 again. A configuration
    that says it shares a tokenizer gets none of its own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"format": FORMAT, **config}, indent=1) + "\n")
    if model.tokenizer is not None and config.get("tokenizer") != SHARED_TOKENIZER:
        model.tokenizer.save(str(folder / TOKENIZER))
    part = folder / "model.safetensors.part"
    tensors = unshared(model)
    save_file({k: v.to(dtype) if v.is_floating_point() else v for k, v in tensors.items()} if dtype else tensors, part)
    part.replace(folder / "model.safetensors")


def load(folder: Path, asked, *, device=None, **given) -> Model:
    """Open what lies in a folder that somebody asked for under a name; see `rmt.checkpoint.load`."""
    candidate, model = _empty(folder, asked, **given)
    _fill(model, candidate)
    model.about.trained, model.about.fingerprint = True, candidate.weights.fingerprint()
    return place(model, device)


def fresh(folder: Path, asked, *, seed: int, **given) -> Model:
    """The same model with weights that were never trained, on the CPU."""
    return _empty(folder, asked, seed=seed, **given)[1]


def inspect(folder: Path, **given) -> Report:
    """The report of such a checkpoint, for which every number in it is read once."""
    candidate, empty = examine(folder, **given)
    if empty is None:
        for name in candidate.weights.shapes:
            candidate.weights.tensor(name)
    else:
        for _ in _values(empty, candidate):
            pass
        _tokenizer(candidate, empty)
        if candidate.segment_length:
            check_room(empty, candidate.segment_length)
    return report(candidate, empty)


def _empty(folder: Path, asked, *, seed: int | None = None, **given) -> tuple[Candidate, Model]:
    """What lies at a place that somebody asked for, and its model with fresh weights on the CPU."""
    candidate, empty = examine(folder, **given)
    tokenizer = _tokenizer(candidate, empty) if empty else None
    if candidate.missing:
        told = " ".join([*candidate.missing, how_to_tell(candidate.asks)])
        raise InputError(f"{printable(asked)} cannot be run yet. {told}")
    check_room(empty, candidate.segment_length)
    if seed is not None:
        torch.manual_seed(seed)
    model = build({**candidate.config, "segment_length": candidate.segment_length}, tokenizer)
    model.about.name, model.about.source = candidate.path.resolve().name, str(candidate.path)
    return candidate, model


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


def _tokenizer(candidate: Candidate, empty: Model) -> Tokenizer | None:
    """The checkpoint's tokenizer; what is missing grows by a line where an encoder's marks are in it and it is not."""
    tokenizer = open_tokenizer(candidate.tokenizer) if candidate.tokenizer else None
    spec = candidate.config["backbone"]
    unknown = any(spec.get(key, mark_id(tokenizer, names)) is None for key, names in MARKS.items())
    if unknown and not empty.backbone.causal:
        candidate.missing.append(
            "Which tokens are [CLS] and [SEP] is in no file: put a tokenizer.json beside the weights."
        )
    if tokenizer is None:
        return None
    rows = empty.backbone.model.get_input_embeddings().num_embeddings
    if tokenizer.get_vocab_size() > rows:
        raise InputError(
            f"{candidate.tokenizer} knows {tokenizer.get_vocab_size()} tokens, the model {rows}; give its own."
        )
    return tokenizer


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
