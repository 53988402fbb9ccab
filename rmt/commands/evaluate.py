"""Score a checkpoint on its task."""

import json
from typing import Annotated

import typer

from rmt.commands.common import Backbone, Checkpoint, Json, Options, SegmentLength, bar, command_line, told


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
    segment_length: SegmentLength = None,
    backbone: Backbone = None,
    options: Options = None,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Score a checkpoint on fresh samples of its task, from documents and seeds that training never saw."""
    from rmt import evaluate as evaluation
    from rmt.checkpoint import load, untrained
    from rmt.provenance import made_by

    model = (untrained if control == "untrained" else load)(
        checkpoint, device=device, **told(segment_length, backbone, options)
    )
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
                    "command": command_line(),
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
