"""The command `train`: train a memory on a task, or a language model."""

from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Json, follow
from rmt.commands.options import Track, name_and_value, options_of, typed, with_options
from rmt.errors import InputError
from rmt.train.config import LMConfig, TrainConfig

LANGUAGE_MODEL = "language_model"
OF_TASKS = options_of(TrainConfig)
OF_LANGUAGE_MODELS = options_of(LMConfig, mark="LM: ", without=[option.name for option in OF_TASKS], optional=True)
OF_THE_RUN = ("context", "task", "out", "until", "precision", "threads", "cpu", "track", "as_json")  # in no config


@with_options(*OF_TASKS, *OF_LANGUAGE_MODELS)
def train(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="A task of rmt/tasks, such as detect, or language_model.")],
    out: Annotated[Path, typer.Option(help="The run's folder; an interrupted run there goes on.")],
    until: Annotated[
        int | None, typer.Option(min=1, help="LM: End at this step; the same command without it goes on.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="no or bf16; bf16 on a GPU by default.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use a GPU.")] = False,
    track: Track = "jsonl",
    as_json: Json = False,
    *,
    settings: dict,
) -> None:
    """Train a memory on a task by curriculum. Safe to kill at any moment; the same command goes on.

    Options marked LM are for --task language_model, which has defaults of its own: see LMConfig in
    rmt/train/config.py.
    """
    import torch

    if threads:
        torch.set_num_threads(threads)
    typed_names = [name for name in typed(context) if name not in OF_THE_RUN]
    if task == LANGUAGE_MODEL:
        _train_language_model(
            {name: settings[name] for name in typed_names}, out, until, precision, cpu, track, as_json
        )
        return
    for name in [*typed_names, *["until"] * (until is not None)]:
        if name not in {option.name for option in OF_TASKS}:
            raise InputError(f"{_flag(name)} is for --task language_model; leave it out.")
    from rmt.train import Trainer
    from rmt.train.tracking import track as track_run

    config = TrainConfig(task, **{option.name: settings[option.name] for option in OF_TASKS})
    trainer = Trainer(config, out, precision=precision, cpu=cpu)
    track_run(trainer, track, out)
    follow(
        trainer, out, total=len(trainer.stages), unit="stages", done=lambda: trainer.at.stage, as_json=as_json,
        describe=lambda line: "{task} step {step}: {stage}, loss {loss:.3f}, accuracy {accuracy:.3f}".format(
            task=task, **line
        ),
    )  # fmt: skip


def _train_language_model(
    typed_options: dict, out: Path, until: int | None, precision, cpu: bool, track: str, as_json: bool
) -> None:
    """Train a language model with the options that were typed, and LMConfig's own defaults for the rest."""
    from rmt.train.language_models import LMTrainer
    from rmt.train.tracking import track as track_run

    options = dict(map(name_and_value, typed_options.pop("cell_option", [])))
    if unknown := [name for name in typed_options if name not in LMConfig.__dataclass_fields__]:
        raise InputError(f"{_flag(unknown[0])} is not for --task language_model; leave it out.")
    trainer = LMTrainer(LMConfig(**typed_options, options=options), out, precision=precision, cpu=cpu, until=until)
    track_run(trainer, track, out)
    follow(
        trainer, out, total=trainer.until, unit="steps", done=lambda: trainer.at.step, as_json=as_json,
        describe=lambda line: "{cell}: up to {segments} segments, loss {loss:.3f}".format(
            cell=trainer.config.cell, **line
        ),
    )  # fmt: skip


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
