"""Train a memory on a task."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from rmt.commands.common import Json, console
from rmt.commands.train_lm import (
    AtOnce,
    BpttUnroll,
    CellOption,
    Checkpointing,
    Corpus,
    Ends,
    Floor,
    Growth,
    InitialStd,
    Inner,
    Lora,
    LoraTargets,
    Pretrained,
    Recite,
    Schedule,
    Shorter,
    Steps,
    Until,
    only_for_language_models,
    train_language_model,
)


def train(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="A task of rmt/tasks, such as detect, or language_model.")],
    out: Annotated[Path, typer.Option(help="The run's folder; an interrupted run there goes on.")],
    segments: Annotated[int, typer.Option(min=1, help="The curriculum ends at documents of this many segments.")] = 7,
    seed: int = 0,
    init: Annotated[Path | None, typer.Option(help="Start from this checkpoint's weights, of the same shape.")] = None,
    backbone: Annotated[str, typer.Option(help="Trained from scratch: bert, gpt2 or llama.")] = "bert",
    layers: Annotated[int, typer.Option(min=1)] = 4,
    width: Annotated[int, typer.Option(min=1)] = 128,
    heads: Annotated[int, typer.Option(min=1)] = 4,
    cell: Annotated[
        str, typer.Option(help="A mechanism of rmt/memory, such as rmt; none is the control without memory.")
    ] = "rmt",
    n_memory: Annotated[int, typer.Option(min=0, help="Memory slots.")] = 8,
    segment_length: Annotated[int, typer.Option(min=8, help="Tokens a segment.")] = 64,
    positions: Annotated[
        int | None, typer.Option(min=8, help="Rows of the position table, if not just enough for a segment.")
    ] = None,
    vocabulary: Annotated[int, typer.Option(min=300, help="Tokens the tokenizer learns.")] = 4096,
    batch: Annotated[int, typer.Option(min=1, help="Documents a step, over all processes.")] = 64,
    lr: Annotated[float, typer.Option(min=0)] = 5e-4,
    warmup: Annotated[int, typer.Option(min=1)] = 200,
    threshold: Annotated[float, typer.Option(min=0, max=1, help="Accuracy over 20 batches that ends a stage.")] = 0.985,
    patience: Annotated[int, typer.Option(min=1, help="Steps in one stage before the run gives up.")] = 6000,
    more_steps: Annotated[int, typer.Option(min=0, help="Steps of the last stage after it is learned.")] = 0,
    stream_steps: Annotated[int, typer.Option(min=0, help="Steps of streaming truncated BPTT at the end.")] = 0,
    streams: Annotated[int, typer.Option(min=1, help="Streams read at a time, over all processes.")] = 48,
    streams_only: Annotated[
        bool, typer.Option("--streams-only", help="No curriculum before the streams; --init has had it.")
    ] = False,
    stream_lr: Annotated[float, typer.Option(min=0)] = 2e-4,
    stream_floor: Annotated[float, typer.Option(min=0, max=1, help="Share of that rate left at the end.")] = 0.02,
    stream_life: Annotated[int, typer.Option(min=1, help="Mean segments a stream has to keep its story.")] = 60,
    stream_wait: Annotated[int, typer.Option(min=0, help="Mean segments before a stream is told its story.")] = 0,
    stream_apart: Annotated[int, typer.Option(min=0, help="Mean segments between the facts of its story.")] = 0,
    stream_segments: Annotated[int, typer.Option(min=1, help="Segments a stream reads a step, with gradient.")] = 3,
    stream_give_up: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the streams that answered wrong that begin anew.")
    ] = 0.1,
    stream_keep: Annotated[
        float, typer.Option(min=0, help="Weight of the penalty on memory that changes while a stream is told nothing.")
    ] = 0.0,
    stream_noise: Annotated[
        float, typer.Option(min=0, help="Standard deviation of noise on the memory that streams carry.")
    ] = 0.0,
    slot_spread: Annotated[float, typer.Option(min=0, help="Weight of the penalty on slots that are alike.")] = 0.0,
    keep_stages: Annotated[
        bool, typer.Option("--keep-stages", help="Keep a checkpoint of each stage in OUT/stages.")
    ] = False,
    corpus: Corpus = None,
    steps: Steps = None,
    until: Until = None,
    growth: Growth = None,
    shorter: Shorter = None,
    pretrained: Pretrained = None,
    lora: Lora = None,
    lora_targets: LoraTargets = None,
    recite: Recite = None,
    inner: Inner = None,
    initial_std: InitialStd = None,
    cell_option: CellOption = None,
    at_once: AtOnce = None,
    bptt_unroll: BpttUnroll = None,
    checkpointing: Checkpointing = False,
    ends: Ends = False,
    schedule: Schedule = None,
    floor: Floor = None,
    precision: Annotated[str | None, typer.Option(help="no or bf16; bf16 on a GPU by default.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    cpu: Annotated[bool, typer.Option("--cpu", help="Do not use a GPU.")] = False,
    as_json: Json = False,
) -> None:
    """Train a memory on a task by curriculum. Safe to kill at any moment; the same command goes on.

    Options marked LM are for --task language_model, which has defaults of its own: see LMConfig in
    rmt/train/lm_config.py.
    """
    import torch

    from rmt.train import TrainConfig, Trainer

    if threads:
        torch.set_num_threads(threads)
    if task == "language_model":
        return train_language_model(context, out, precision=precision, cpu=cpu, as_json=as_json)
    only_for_language_models(context)
    config = TrainConfig(
        task=task, segments=segments, seed=seed, init=str(init) if init else None, backbone=backbone, layers=layers,
        width=width, heads=heads, cell=cell, n_memory=n_memory, segment_length=segment_length, batch=batch, lr=lr,
        warmup=warmup, threshold=threshold, patience=patience, stream_steps=stream_steps, stream_wait=stream_wait,
        slot_spread=slot_spread, positions=positions, vocabulary=vocabulary, streams=streams, stream_lr=stream_lr,
        stream_life=stream_life, stream_apart=stream_apart, keep_stages=keep_stages, more_steps=more_steps,
        stream_segments=stream_segments, stream_give_up=stream_give_up, stream_keep=stream_keep,
        stream_noise=stream_noise, stream_floor=stream_floor, streams_only=streams_only,
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
