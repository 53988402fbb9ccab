"""The command `evaluate`: score a checkpoint on its task."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import (
    Backbone,
    Checkpoint,
    Json,
    Options,
    SegmentLength,
    bar,
    command_line,
    load_options,
    whole_numbers,
)
from rmt.errors import InputError

SIZES = {"k": 1_000, "K": 1_000, "M": 1_000_000}


def n_tokens(text: str) -> int:
    """A number of tokens written as 4096, 4k or 1M."""
    number = text[:-1] if text[-1:] in SIZES else text
    if not number.isdigit() or not int(number):
        raise InputError(f"{text!r} is not a number of tokens; write it as 4096, 4k or 1M.")
    return int(number) * SIZES.get(text[-1], 1)


def evaluate(
    checkpoint: Checkpoint,
    segments: Annotated[
        list[int] | None, typer.Option(help="Lengths: --segments 1 7 100, or the option repeated.")
    ] = None,
    lengths: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    tokens: Annotated[list[str] | None, typer.Option(help="Lengths in tokens instead: --tokens 4k 128k 1M.")] = None,
    task: Annotated[str | None, typer.Option(help="A task other than the model's own: qa1 to qa5.")] = None,
    babi: Annotated[Path | None, typer.Option(help="A folder of official bAbI files to take the stories from.")] = None,
    mixed: Annotated[
        str | None,
        typer.Option(
            help="Whole texts as another benchmark mixed them: RMT-team/babilong, or a folder laid out like it. "
            "--tokens names its lengths (4k, 128k), --task its task."
        ),
    ] = None,
    never: Annotated[bool, typer.Option("--never", help="Ask about what was never mentioned.")] = False,
    samples: Annotated[int, typer.Option(min=1)] = 100,
    seed: int = 0,
    control: Annotated[
        str, typer.Option(help="none, reset (memory at each boundary) or untrained (fresh weights).")
    ] = "none",
    filtered: Annotated[
        bool | None,
        typer.Option(help="Distractor text without, or with, sentences that name the stories' people or places."),
    ] = None,
    precision: Annotated[str, typer.Option(help="fp32, or bf16 matrix products.")] = "fp32",
    batch: Annotated[int, typer.Option(min=1, help="Samples at a time.")] = 100,
    keep: Annotated[
        Path | None, typer.Option(help="Keep results of finished samples in this file; an interrupted run goes on.")
    ] = None,
    segment_length: SegmentLength = None,
    backbone: Backbone = None,
    options: Options = None,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Score a checkpoint on fresh samples of its task, from documents and seeds that training never saw.

    Language models are scored by evaluate-loss.

    Under torchrun or accelerate launch every process reads a share of the samples and the first prints the table.
    """
    from rmt.checkpoint import load, untrained
    from rmt.evaluate import accuracy as evaluation
    from rmt.model.processes import this_process
    from rmt.model.provenance import made_by
    from rmt.tasks import TASKS
    from rmt.tasks.official import official

    process, _, own_device = this_process()
    model = (untrained if control == "untrained" else load)(
        checkpoint, device=device or own_device, **load_options(segment_length, backbone, options)
    )
    if tokens:
        n_segments = sorted({-(-n_tokens(text) // model.segment_length) for text in [*tokens, *(lengths or [])]})
    else:
        n_segments = sorted({*(segments or []), *whole_numbers(lengths)}) or [1, 2, 4, 7]
    chosen = task or model.about.task
    if mixed:
        if babi or never or filtered is not None or keep:
            raise InputError("--mixed reads texts as they are; leave out --babi, --never, --filtered and --keep.")
        _mixed(model, mixed, tokens or ["4k"], chosen or "", samples, control, as_json)
        return
    if babi:
        scored_task = official(chosen or "", babi)
    elif task and task not in TASKS:
        raise InputError(f"There is no task {task!r}; choose from {', '.join(TASKS)}.")
    else:
        scored_task = TASKS.get(chosen or "")
    with bar(model.about.name, "tokens", shown=process == 0) as update:
        rows = list(
            evaluation.evaluate(
                model,
                segments=n_segments,
                samples=samples,
                seed=seed,
                control=control,
                filtered=filtered,
                precision=precision,
                batch=batch,
                keep=keep,
                task=scored_task,
                never=never,
                progress=update,
            )
        )
    if process:
        return
    if as_json:
        print(
            json.dumps(
                {
                    "command": command_line(),
                    "made_by": made_by(model),
                    "seed": seed,
                    "precision": precision,
                    "task": scored_task.name if scored_task else None,
                    "background": rows[0]["background"],
                    "stories": "official" if babi else "generated",
                    "asks": "what was never mentioned" if never else "what was told",
                    "results": rows,
                },
                indent=1,
            )
        )
        return
    _print(rows)


def _mixed(model, source: str, lengths: list[str], task: str, samples: int, control: str, as_json: bool) -> None:
    """Score the model on whole texts of another benchmark and print the table."""
    from rmt.evaluate.mixed_texts import evaluate_texts
    from rmt.model.provenance import made_by
    from rmt.tasks.mixed_texts import mixed_texts

    rows = []
    for length in lengths:
        texts = list(mixed_texts(source, length, task, samples))
        with bar(f"{model.about.name}, {length}", "texts") as update:
            rows.append(evaluate_texts(model, texts, reset=control == "reset", progress=update))
        rows[-1] |= {"length": length, "control": control}
    if as_json:
        about = {"command": command_line(), "made_by": made_by(model), "task": task, "texts": source}
        print(json.dumps({**about, "results": rows}, indent=1))
    else:
        _print(rows)


def _print(rows: list[dict]) -> None:
    """Print rows of scores as a table, and below it what its calibration error means."""
    print("segments     tokens  accuracy  95 % interval    samples  confidence  calib. error  control    background")
    for row in rows:
        line = "{segments:8d} {tokens:10d} {accuracy:9.4f} {low:7.4f}-{high:.4f} {samples:9d}  "
        known = row["calibration_error"] is not None
        doubt = "{confidence:10.4f} {calibration_error:13.4f}  " if known else f"{'unknown':>10s} {'unknown':>13s}  "
        print((line + doubt + "{control:9s}  {background}").format(**row))
    if limits := [f"{row['calibration_by_chance']:.4f}" for row in rows if row["calibration_error"] is not None]:
        print(
            "\nCalibration error: the mean distance of confidence from accuracy, in ten bins. With exact probabilities "
            f"it would stay, in 95 of 100 such samples, below {', '.join(limits)}."
        )
