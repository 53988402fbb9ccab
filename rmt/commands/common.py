"""Shared parts of commands: the --json option, progress bars, inputs from files and tasks."""

import json
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from rmt.errors import InputError

console = Console(stderr=True)  # standard output is for results

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
Checkpoint = Annotated[
    Path, typer.Argument(help="A folder, a file of weights, a hub name, smollm2 or minilm.", show_default=False)
]
SegmentLength = Annotated[int | None, typer.Option(min=1, help="Tokens a segment, if not the checkpoint's own.")]
Backbone = Annotated[
    str | None, typer.Option(help="For weights that stand alone: a folder with config.json, or a name like gpt2.")
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="What no file says: n_memory=4, retrieve=top_1, correction=no, alignment=right, lora_alpha=16, "
        "special_tokens=no, own_state=yes for a recurrent net, or options of recurrent-memory-transformer-pytorch, "
        "add_write_to_next_write_mem=no.",
    ),
]
YES_NO = {"yes": True, "true": True, "no": False, "false": False}
OPTIONS = {
    "n_memory": int, "retrieve": str, "alignment": str, "lora_alpha": float, "nu": int,
    "correction": YES_NO.__getitem__, "wrapped": YES_NO.__getitem__, "special_tokens": YES_NO.__getitem__,
    "own_state": YES_NO.__getitem__,
    "add_write_to_next_write_mem": YES_NO.__getitem__, "always_have_read_memories": YES_NO.__getitem__,
    "causal": YES_NO.__getitem__, "memory_not_causal": YES_NO.__getitem__,
}  # fmt: skip


def load_options(segment_length: int | None, backbone: str | None, options: list[str] | None) -> dict:
    """Turn the flags of a command into keyword arguments of `load`, `untrained` and `inspect`."""
    values = {}
    for text in options or []:
        name, _, value = text.partition("=")
        if name not in OPTIONS:
            raise InputError(f"--option {ascii(text)[:60]} is none of {', '.join(f'{n}=…' for n in OPTIONS)}.")
        try:
            values[name] = OPTIONS[name](value)
        except (KeyError, ValueError):
            of = "yes or no" if OPTIONS[name] == YES_NO.__getitem__ else "a number"
            raise InputError(f"--option {name} is {of}, not {ascii(value)[:60]}.") from None
    return {"segment_length": segment_length, "backbone": backbone, "options": values or None}


@contextmanager
def bar(label: str, unit: str, *, shown: bool = True):
    """A progress bar on standard error; yields update(done, total)."""
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def follow(
    trainer,
    out: Path,
    *,
    total: int,
    unit: str,
    done: Callable[[], int],
    describe: Callable[[dict], str],
    as_json: bool,
) -> None:
    """Train to the end with a progress bar, then print where the model is.

    total: units of the whole run. done: returns how many of them are finished. describe: a line of metrics -> the bar's
    label.
    """
    line: dict = {}
    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit)]
    with Progress(*columns, console=console, transient=True, disable=not trainer.run_folder.main) as progress:
        shown = progress.add_task("starting", total=total, completed=done())
        for line in trainer.steps():
            progress.update(shown, completed=done(), description=describe(line))
    trainer.end()
    if trainer.run_folder.main and as_json:
        print(json.dumps({"checkpoint": str(out), "parameters": trainer.n_parameters, **line}))
    elif trainer.run_folder.main:
        console.print(f"The trained model is in {out}; its curves are in {out / 'metrics.jsonl'}.", markup=False)


def whole_numbers(texts: list[str] | None) -> list[int]:
    """Parse numbers of segments that follow an option's first value."""
    if wrong := [text for text in texts or [] if not text.isdigit()]:
        raise InputError(f"{wrong[0]!r} is not a number of segments; give whole numbers like 1 7 100.")
    return [int(text) for text in texts or []]


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, or UTF-16 with a byte order mark. Raises InputError where it is neither."""
    try:  # editors on Windows begin a file with a byte order mark
        with open(path, "rb") as file:
            utf16 = file.read(2) in (b"\xff\xfe", b"\xfe\xff")
        return path.read_text(encoding="utf-16" if utf16 else "utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the path of a text file.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8.") from None


def read_ids(path: Path) -> list[int]:
    """Read token ids from a text file, separated by spaces, commas or line breaks."""
    words = read_text(path).replace(",", " ").split()
    if not words or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        raise InputError(f"{path} is not a list of token ids: whole numbers with spaces, commas or lines between.")
    return [int(word) for word in words]


def fresh_sample(model, task: str, segments: int, seed: int, *, never: bool = False) -> tuple:
    """Make a document that training never saw: (ids, keyword arguments of `record` for it)."""
    from rmt.evaluate.gallery import fresh
    from rmt.tasks import TASKS, language_model

    if task not in (*TASKS, language_model.NAME):
        raise InputError(f"There is no task {task!r}; choose from {', '.join([*TASKS, language_model.NAME])}.")
    if task != language_model.NAME:
        example, known = fresh(model, segments, seed, task=task, never=never)
        return example.ids, known
    if model.tokenizer is None:
        raise InputError(f"{model.about.name} has no tokenizer.json, so no sample can be written for it.")
    return held_out(model, segments, seed), {"seed": seed}


def held_out(model, segments: int, seed: int):
    """The ids of the beginning of a held-out document, from the corpus that a language model was trained on."""
    from rmt.tasks.corpora import open_corpus
    from rmt.tasks.language_model import Documents

    corpus = open_corpus(model.about.config.get("training", {}).get("corpus", "sotu"))
    document = corpus.held_out.select([seed % len(corpus.held_out)])
    return Documents(model.tokenizer, document).ids[0][: segments * model.segment_length]


def command_line() -> str:
    """The command line as typed, to store with a result."""
    return " ".join(["python -m rmt", *sys.argv[1:]])
