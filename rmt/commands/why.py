"""Say what made the answer of a recorded run."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Checkpoint, Json, bar, command_line


def why(
    checkpoint: Checkpoint,
    trace: Annotated[Path, typer.Argument(help="A run recorded with it.", show_default=False)],
    choice: Annotated[
        int | None, typer.Option(help="Explain this class, or the token after this one of the last segment.")
    ] = None,
    tokens: Annotated[bool, typer.Option(help="By token, too: integrated gradients through the whole run.")] = True,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Say which segments, slots and tokens made the answer of a recorded run, and what memory added to it."""
    from rmt.causes.why import why as explain
    from rmt.checkpoint import load, untrained
    from rmt.trace import Trace

    run = Trace.open(trace)
    model = (load if run.meta["made_by"]["trained"] else untrained)(checkpoint, device=device)
    with bar(model.about.name, "steps") as update:
        found = explain(model, run, choice=choice, tokens=tokens, progress=update)
    if as_json:
        print(json.dumps({"command": command_line(), **found}))
        return
    largest = max(range(len(found["segments"]) - 1), key=lambda s: abs(found["segments"][s]), default=None)
    print(f"The output is {found['output']!r}.")
    if largest is not None:
        print(f"Without segment {largest + 1} its logit would be {found['segments'][largest]:.2f} lower.")
    if tokens:
        first = max(range(len(found["tokens"])), key=lambda i: abs(found["tokens"][i]))
        told = f"{run.token_texts(first, first + 1)[0].strip()!r} in segment {run.segment_of(first) + 1}"
        share = f"{found['tokens'][first]:.2f} of {found['value'] - found['baseline']:.2f}"
        print(f"The token that counts most is {told}, {share}")
        print(f"(integrated gradients, {found['steps']} steps, completeness gap {found['gap']:.2%}).")
