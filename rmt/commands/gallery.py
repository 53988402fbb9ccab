"""The command `gallery`: fresh texts of a checkpoint's task, what it answers, and what is special about each."""

import json
from typing import Annotated

import typer

from rmt.commands.common import Checkpoint, Json, bar, command_line


def gallery(
    checkpoint: Checkpoint,
    segments: Annotated[list[int] | None, typer.Option(help="Lengths; the option repeated.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Texts of each length.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The first one's seed; the next one's is one more.")] = 0,
    never: Annotated[bool, typer.Option("--never", help="Ask about somebody who was never mentioned.")] = False,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """List runs of fresh texts: right or wrong, how sure, and the segment where each is decided.

    python -m rmt record CHECKPOINT --task TASK --segments N --seed N records the run of a row again.
    """
    from rmt.checkpoint import load
    from rmt.evaluate.gallery import as_dict
    from rmt.evaluate.gallery import gallery as rows_of
    from rmt.model.provenance import made_by

    model = load(checkpoint, device=device)
    with bar(model.about.name, "runs") as update:
        seeds = range(seed, seed + samples)
        rows = list(rows_of(model, segments=segments or [12], seeds=seeds, never=never, progress=update))
    if as_json:
        about = {"command": command_line(), "made_by": made_by(model)}
        print(json.dumps({**about, "results": [as_dict(row) for row in rows]}, indent=1))
        return
    for row in sorted(rows, key=lambda row: (row.right, -row.p)):
        right = "right" if row.right else f"wrong, it is {row.truth}"
        about = f" ({', '.join(row.special)})" if row.special else ""
        print(f"seed {row.seed}, {row.segments} segments{about}: {row.question} {row.answer} {row.p:.2f}, {right}; "
              f"segment {row.moment}: {row.why}")  # fmt: skip
