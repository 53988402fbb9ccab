"""The command `train-stories`: train a memory on endless stories, from two-word facts to streams of prose."""

from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Json, follow
from rmt.commands.options import Track, options_of, with_options
from rmt.train.config import StoryConfig


@with_options(*options_of(StoryConfig))
def train_stories(
    out: Annotated[Path, typer.Option(help="The run's folder; an interrupted run there goes on.")],
    device: Annotated[str | None, typer.Option(help="cpu or cuda; a GPU by default, where there is one.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that write the texts beside the training.")] = 0,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    track: Track = "jsonl",
    as_json: Json = False,
    *,
    settings: dict,
) -> None:
    """Train a memory on bAbI stories in prose, rung by rung, with several questions to one state.

    Safe to kill at any moment: the same command goes on, with streams that begin anew.
    """
    import torch

    from rmt.train.story_trainer import StoryTrainer
    from rmt.train.tracking import track as track_run

    if threads:
        torch.set_num_threads(threads)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    trainer = StoryTrainer(StoryConfig(**settings), out, device=device, workers=workers)
    track_run(trainer, track, out)
    follow(
        trainer, out, total=len(trainer.rungs), unit="rungs", done=lambda: trainer.at.rung, as_json=as_json,
        describe=lambda line: "step {step}: {rung}, loss {loss:.3f}, accuracy {accuracy}".format(**line),
    )  # fmt: skip
