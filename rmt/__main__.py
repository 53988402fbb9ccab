"""The command line: python -m rmt train | evaluate | record | inspect | validate."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from typer.exceptions import TyperException

from rmt.errors import InputError

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Train, run and record Recurrent Memory Transformers."
)
console = Console(stderr=True)  # standard output is for results

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
Checkpoint = Annotated[Path, typer.Argument(help="The folder of a checkpoint.", show_default=False)]


@contextmanager
def bar(label: str, unit: str):
    """A progress bar on standard error; yields update(done, total)."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@app.command()
def train(
    task: Annotated[str, typer.Option(help="memorize, detect or reasoning.")],
    out: Annotated[Path, typer.Option(help="The run's folder; an interrupted run there goes on.")],
    segments: Annotated[int, typer.Option(min=1, help="The curriculum ends at documents of this many segments.")] = 7,
    seed: int = 0,
    init: Annotated[Path | None, typer.Option(help="Start from this checkpoint's weights, of the same shape.")] = None,
    backbone: Annotated[str, typer.Option(help="Trained from scratch: bert, gpt2 or llama.")] = "bert",
    layers: Annotated[int, typer.Option(min=1)] = 4,
    width: Annotated[int, typer.Option(min=1)] = 128,
    heads: Annotated[int, typer.Option(min=1)] = 4,
    cell: Annotated[str, typer.Option(help="rmt, or none for the control without memory.")] = "rmt",
    n_memory: Annotated[int, typer.Option(min=0, help="Memory slots.")] = 8,
    segment_length: Annotated[int, typer.Option(min=8, help="Tokens a segment.")] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Documents a step, over all processes.")] = 64,
    lr: Annotated[float, typer.Option(min=0)] = 5e-4,
    warmup: Annotated[int, typer.Option(min=1)] = 200,
    patience: Annotated[int, typer.Option(min=1, help="Steps in one stage before the run gives up.")] = 6000,
    stream_steps: Annotated[int, typer.Option(min=0, help="Steps of streaming truncated BPTT at the end.")] = 0,
    stream_wait: Annotated[int, typer.Option(min=0, help="Mean segments before a stream is told its story.")] = 0,
    slot_spread: Annotated[float, typer.Option(min=0, help="Weight of the penalty on slots that are alike.")] = 0.0,
    precision: Annotated[str | None, typer.Option(help="no or bf16; bf16 on a GPU by default.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use a GPU.")] = False,
    as_json: Json = False,
) -> None:
    """Train a memory on a task by curriculum. Safe to kill at any moment; the same command goes on."""
    import torch

    from rmt.train import TrainConfig, Trainer

    if threads:
        torch.set_num_threads(threads)
    config = TrainConfig(
        task=task, segments=segments, seed=seed, init=str(init) if init else None, backbone=backbone, layers=layers,
        width=width, heads=heads, cell=cell, n_memory=n_memory, segment_length=segment_length, batch=batch, lr=lr,
        warmup=warmup, patience=patience, stream_steps=stream_steps, stream_wait=stream_wait,
        slot_spread=slot_spread,
    )  # fmt: skip
    trainer = Trainer(config, out, precision=precision, cpu=cpu)
    main, line = trainer.accelerator.is_main_process, {}
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("stages"),
    ]
    with Progress(*columns, console=console, transient=True, disable=not main) as progress:
        shown = progress.add_task(f"{task}: starting", total=len(trainer.stages), completed=trainer.at.stage)
        for line in trainer.steps():
            text = (
                f"{task} step {line['step']}: {line['stage']}, loss {line['loss']:.3f}, accuracy {line['accuracy']:.3f}"
            )
            progress.update(shown, completed=trainer.at.stage, description=text)
    trainer.accelerator.end_training()
    if main and as_json:
        print(json.dumps({"checkpoint": str(out), "parameters": trainer.n_parameters, **line}))
    elif main:
        console.print(f"The trained model is in {out}; its curves are in {out / 'metrics.jsonl'}.", markup=False)


@app.command()
def evaluate(
    checkpoint: Checkpoint,
    segments: Annotated[
        list[int] | None, typer.Option(help="Lengths: --segments 1 7 100, or the option repeated.")
    ] = None,
    lengths: Annotated[list[int] | None, typer.Argument(hidden=True)] = None,
    samples: Annotated[int, typer.Option(min=1)] = 100,
    seed: int = 0,
    control: Annotated[
        str, typer.Option(help="none, reset (memory at each boundary) or untrained (fresh weights).")
    ] = "none",
    precision: Annotated[str, typer.Option(help="fp32, or bf16 matrix products.")] = "fp32",
    batch: Annotated[int, typer.Option(min=1, help="Samples at a time.")] = 100,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Score a checkpoint on fresh samples of its task, from documents and seeds that training never saw."""
    from rmt import evaluate as evaluation
    from rmt.checkpoint import load, untrained
    from rmt.provenance import made_by

    model = (untrained if control == "untrained" else load)(checkpoint, device=device)
    wanted = sorted({*(segments or []), *(lengths or [])}) or [1, 2, 4, 7]
    with bar(model.about.name, "tokens") as update:
        rows = list(
            evaluation.evaluate(
                model,
                segments=wanted,
                samples=samples,
                seed=seed,
                control=control,
                precision=precision,
                batch=batch,
                progress=update,
            )
        )
    if as_json:
        print(
            json.dumps(
                {
                    "command": _command(),
                    "made_by": made_by(model),
                    "seed": seed,
                    "precision": precision,
                    "results": rows,
                },
                indent=1,
            )
        )
        return
    print("segments   tokens  accuracy  stderr  samples  control")
    for row in rows:
        print("{segments:8d} {tokens:8d} {accuracy:9.4f} {stderr:7.4f} {samples:8d}  {control}".format(**row))


@app.command()
def record(
    checkpoint: Checkpoint,
    out: Annotated[Path, typer.Option(help="Where the trace goes, a *.trace.safetensors.")],
    task: Annotated[str | None, typer.Option(help="Record a fresh sample of this task.")] = None,
    segments: Annotated[int, typer.Option(min=1, help="Its length in segments.")] = 8,
    seed: Annotated[int, typer.Option(help="Its seed.")] = 0,
    text_file: Annotated[Path | None, typer.Option(help="Record this text instead (UTF-8).")] = None,
    detail: Annotated[str, typer.Option(help="memory, summary or thin.")] = "summary",
    control: Annotated[str, typer.Option(help="none, reset or untrained.")] = "none",
    segment_length: Annotated[
        int | None, typer.Option(min=1, help="Tokens a segment, if not the checkpoint's own.")
    ] = None,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Run a checkpoint over a text and keep what its memory did, for the app to show."""
    from rmt.checkpoint import load, untrained
    from rmt.evaluate import CONTROLS
    from rmt.measure import similarity
    from rmt.recorder import record as run

    if control not in CONTROLS:
        raise InputError(f"There is no control {control!r}; choose {', '.join(CONTROLS)}.")
    if (task is None) == (text_file is None):
        raise InputError("Give either --task, for a fresh sample, or --text-file, for a text of yours.")
    if not out.parent.is_dir():
        raise InputError(f"The folder {out.parent} does not exist; make it first.")
    model = (untrained if control == "untrained" else load)(checkpoint, device=device, segment_length=segment_length)
    document, known = (_text(text_file), {}) if text_file else _sample(model, task, segments, seed)
    with bar(model.about.name, "segments") as update:
        reset = "reset" if control == "reset" else None
        trace = run(model, document, detail=detail, out=out, progress=update, control=reset, **known)
    result = {
        "trace": str(out),
        "segments": trace.n_segments,
        "answer": trace.answer,
        "probabilities": trace.probabilities,
        "slot_cosine": round(float(similarity(trace.memory[1:]).mean()), 4),
    }
    if as_json:
        print(json.dumps(result, indent=1))
    else:
        answer = f" It answers {trace.answer!r} ({max(trace.probabilities.values()):.3f})." if trace.answer else ""
        print(f"Recorded {trace.n_segments} segments to {out}.{answer}")


@app.command()
def inspect(path: Checkpoint, as_json: Json = False) -> None:
    """Say what a checkpoint is, what was inferred and what is missing."""
    from rmt.checkpoint import inspect as look

    report = look(path)
    print(json.dumps(report.as_dict(), indent=1) if as_json else "\n".join(report.sentences()))


@app.command()
def validate(trace: Annotated[Path, typer.Argument(help="A trace file.", show_default=False)]) -> None:
    """Say whether a trace is whole, and what is wrong with it where it is not (exit code 1)."""
    from rmt.trace import validate as look

    problems = look(trace)
    print("\n".join(problems) or f"{trace} is a whole trace.")
    if problems:
        raise typer.Exit(1)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a text file.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8.") from None


def _sample(model, task: str, segments: int, seed: int) -> tuple:
    import numpy as np

    from rmt.evaluate import EVALUATION
    from rmt.tasks import TASKS
    from rmt.tasks.base import Sampler

    if task not in TASKS:
        raise InputError(f"There is no task {task!r}; choose from {', '.join(TASKS)}.")
    if model.tokenizer is None:
        raise InputError(f"{model.about.name} has no tokenizer.json, so no sample can be written for it.")
    sampler = Sampler(TASKS[task], model.tokenizer, "eval")
    example = sampler.example(np.random.default_rng([EVALUATION, seed]), segments * model.segment_length)
    return example.ids, {"spans": example.spans, "label": example.label, "seed": seed}


def _command() -> str:
    return " ".join(["python -m rmt", *sys.argv[1:]])


def main() -> None:
    """Run a command; whatever a user can get wrong ends with one sentence and exit code 2."""
    try:
        sys.exit(app(standalone_mode=False))
    except InputError as error:
        sentence = str(error)
    except TyperException as error:
        sentence = f"{error.format_message().rstrip('.')}. See python -m rmt --help."
    except typer.Abort:
        sys.exit(130)
    console.print(sentence, style="red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)


if __name__ == "__main__":
    main()
