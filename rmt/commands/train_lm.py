"""train --task language_model: the options it has beside those of other tasks, and its run."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from rmt.commands.common import console
from rmt.errors import InputError


def _option(of: type, text: str, **limits):
    return Annotated[of | None, typer.Option(help=f"LM: {text}", **limits)]


Corpus = _option(str, "sotu, metamath:FILE, hf:NAME, or a folder of .txt files.")
Steps = _option(int, "steps of the whole run.", min=1)
Until = _option(int, "end at this step; the same command without it goes on.", min=1)
Growth = _option(float, "share of the steps over which history grows to --segments.", min=0, max=1)
Shorter = _option(float, "share of the steps with less history than that.", min=0, max=1)
Pretrained = _option(str, "a backbone to put memory around: smollm2, a folder or a hub name.")
Lora = _option(int, "rank of adapters on the pretrained backbone; 0 trains all of it.", min=0)
LoraTargets = _option(str, "what the adapters adapt, names with commas between; by default as peft does it.")
Recite = _option(float, "weight of a second loss that falls to nothing: slots recite a segment's last tokens.", min=0)
Inner = _option(int, "width of the feed-forward part over that of the model.", min=1)
InitialStd = _option(float, "spread of the initial memory.", min=0)
CellOption = _option(list[str], "an option of the cell, name=value; may be repeated.")
AtOnce = _option(int, "segments read as one, without memory: the baseline of exact context.", min=1)
BpttUnroll = _option(int, "segments that a gradient crosses; all of them by default.", min=1)
Checkpointing = Annotated[bool, typer.Option("--checkpointing", help="LM: compute activations twice to save memory.")]
Ends = Annotated[bool, typer.Option("--ends", help="LM: read documents to their end, where a proof stands.")]
Schedule = _option(str, "cosine or linear.")
Floor = _option(float, "share of the rate that is left at the end.", min=0, max=1)

OURS = (
    "corpus steps until growth shorter pretrained lora lora_targets recite inner initial_std cell_option at_once "
    "bptt_unroll checkpointing ends schedule floor"
).split()
RUNS = ("task", "out", "precision", "threads", "cpu", "as_json", "context")  # of a run, not of what is trained


def only_for_language_models(context: typer.Context) -> None:
    """Raises InputError where another task was given an option of language models."""
    for name in _given(context):
        if name in OURS:
            raise InputError(f"--{name.replace('_', '-')} is for --task language_model; leave it out.")


def train_language_model(context: typer.Context, out: Path, *, precision: str | None, cpu: bool, as_json: bool) -> None:
    """The run, with what was typed and LMConfig's own defaults for the rest."""
    from rmt.train.language_models import LMTrainer
    from rmt.train.lm_config import LMConfig

    given = {name: value for name, value in _given(context).items() if name not in RUNS}
    options, until = dict(map(_pair, given.pop("cell_option", []))), given.pop("until", None)
    unknown = sorted(set(given) - set(LMConfig.__dataclass_fields__))
    if unknown:
        raise InputError(f"--{unknown[0].replace('_', '-')} is not for --task language_model; leave it out.")
    if "init" in given:
        given["init"] = str(given["init"])
    trainer = LMTrainer(LMConfig(**given, options=options), out, precision=precision, cpu=cpu, until=until)
    main, line = trainer.accelerator.is_main_process, {}
    columns = [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps"),
    ]
    with Progress(*columns, console=console, transient=True, disable=not main) as progress:
        shown = progress.add_task("starting", total=trainer.until, completed=trainer.at.step)
        for line in trainer.steps():
            text = f"{trainer.config.cell}: up to {line['segments']} segments, loss {line['loss']:.3f}"
            progress.update(shown, completed=line["step"], description=text)
    trainer.accelerator.end_training()
    if main and as_json:
        print(json.dumps({"checkpoint": str(out), "parameters": trainer.n_parameters, **line}))
    elif main:
        console.print(f"The trained model is in {out}; its curves are in {out / 'metrics.jsonl'}.", markup=False)


def _given(context: typer.Context) -> dict:
    """What was typed, by name; defaults are left out."""
    typed = (name for name in context.params if context.get_parameter_source(name).name == "COMMANDLINE")
    return {name: context.params[name] for name in typed}


def _pair(text: str) -> tuple[str, int | float | str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise InputError(f"An option of a cell is written name=value, not {text!r}.")
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            pass
    return name, value
