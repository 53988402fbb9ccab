"""The command `why`: which segments, slots and tokens made the answer of a recorded run."""

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
        result = explain(model, run, choice=choice, tokens=tokens, progress=update)
    if as_json:
        print(json.dumps({"command": command_line(), **result}))
        return
    largest = max(range(len(result["segments"]) - 1), key=lambda s: abs(result["segments"][s]), default=None)
    print(f"The output is {result['output']!r}.")
    if largest is not None:
        print(f"Without segment {largest + 1} its logit would be {result['segments'][largest]:.2f} lower.")
    if tokens:
        first = max(range(len(result["tokens"])), key=lambda i: abs(result["tokens"][i]))
        word = f"{run.token_texts(first, first + 1)[0].strip()!r} in segment {run.segment_of(first) + 1}"
        share = f"{result['tokens'][first]:.2f} of {result['value'] - result['baseline']:.2f}"
        print(f"The token that counts most is {word}, {share}")
        print(f"(integrated gradients, {result['steps']} steps, completeness gap {result['gap']:.2%}).")
