"""What commands share: the --json option, progress bars, inputs from files and tasks."""

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rmt.errors import InputError

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


def read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a text file.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8.") from None


def fresh_sample(model, task: str, segments: int, seed: int) -> tuple:
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


def command_line() -> str:
    """What was typed, for a result to carry."""
    return " ".join(["python -m rmt", *sys.argv[1:]])
