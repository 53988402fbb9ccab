"""The command `facts`: how long a memory keeps facts."""

import json
from typing import Annotated

import typer

from rmt.commands.common import Checkpoint, Json, bar, command_line
from rmt.errors import InputError
from rmt.tasks.interval import percent


def facts(
    checkpoint: Checkpoint,
    samples: Annotated[int, typer.Option(min=1, help="Fresh runs of the checkpoint's task.")] = 200,
    segments: Annotated[int, typer.Option(min=1, help="How many segments after a fact it is asked for.")] = 16,
    seed: int = 0,
    control: Annotated[
        str, typer.Option(help="none, reset (memory at each boundary) or untrained (fresh weights).")
    ] = "none",
    probe: Annotated[bool, typer.Option(help="Also train linear probes: where facts are readable.")] = True,
    transplants: Annotated[bool, typer.Option(help="Also exchange memory between 200 pairs of runs.")] = False,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Say how long facts last in a memory: capture, retention, the slots they are in, and what a second one does.

    Under torchrun or accelerate launch the processes share the runs and the first prints the result.
    """
    from rmt.causes.probe import probes
    from rmt.causes.survival import report
    from rmt.checkpoint import load, untrained
    from rmt.evaluate import CONTROLS
    from rmt.model.processes import this_process

    if control not in CONTROLS:
        raise InputError(f"There is no control {control!r}; choose {', '.join(CONTROLS)}.")
    process, _, own_device = this_process()
    model = (untrained if control == "untrained" else load)(checkpoint, device=device or own_device)
    reset = control == "reset"
    shown = process == 0
    with bar(model.about.name, "runs", shown=shown) as update:
        result = report(model, samples=samples, segments=segments, seed=seed, reset=reset, progress=update)
    if probe:
        with bar("probes", "runs", shown=shown) as update:
            result["probes"] = probes(model, seed=seed, reset=reset, progress=update)
    if transplants:
        with bar("transplants", "pairs", shown=shown) as update:
            result["transplants"] = _transplants(model, seed, update)
    if not shown:
        return
    if as_json:
        print(json.dumps({"command": command_line(), **result}))
        return
    print(f"Captured {percent(result['capture']['share'])} of {result['facts']} facts.")
    for row in result["retention"]:
        print(f"After {row['distance']:3d} segments {percent(row['share'])} of those are still there.")


def _transplants(model, seed: int, update) -> list[dict]:
    """Score transplants of memory 1, 10 and 50 segments before the question."""
    from rmt.causes.slot_effects import transplant_score

    return [transplant_score(model, distance=distance, seed=seed, progress=update) for distance in (1, 10, 50)]
