"""The command `what-if`: change a recorded run and read again what comes after."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Checkpoint, Json, bar, command_line
from rmt.errors import InputError


def what_if(
    checkpoint: Checkpoint,
    trace: Annotated[Path, typer.Argument(help="A run recorded with it.", show_default=False)],
    change: Annotated[
        str, typer.Option(help="Such as reset@4, ablate:zero@4-6/1,2, edit:41-47:TEXT; several with ; between them.")
    ] = "",
    donor: Annotated[
        list[Path] | None, typer.Option(help="A run that transplants take memory from, by its file's name.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the changed run goes, a *.trace.safetensors.")] = None,
    slot_map: Annotated[bool, typer.Option("--map", help="Ablate each slot before each segment, too.")] = False,
    device: str | None = None,
    as_json: Json = False,
) -> None:
    """Say what a recorded run would have answered with its memory, text or attention changed."""
    from rmt.causes.what_if import what_differs
    from rmt.causes.what_if import what_if as read_again
    from rmt.checkpoint import load, untrained
    from rmt.intervene.changes import parse
    from rmt.trace import Trace
    from rmt.trace.writer import check_free

    run, changes = Trace.open(trace), parse(change)
    if out is not None:
        if not out.parent.is_dir():
            raise InputError(f"The folder {out.parent} does not exist; make it first.")
        check_free(out)
    model = (load if run.meta["made_by"]["trained"] else untrained)(checkpoint, device=device)
    donors = {path.name.removesuffix(".trace.safetensors"): Trace.open(path) for path in donor or []}
    with bar(model.about.name, "segments") as update:
        changed = read_again(model, run, changes, donors=donors, out=out, progress=update)
    result = {
        "made_by": changed.meta["made_by"],
        "changes": changed.meta.get("changes", ""),
        **what_differs(run, changed),
    }
    if slot_map:
        with bar("each slot before each segment", "segments") as update:
            result["map"] = _map(model, run, update)
    if as_json:
        print(json.dumps({"command": command_line(), **result}))
        return
    if result["answer"]:
        print("It answered {!r} ({:.3f}) and answers {!r} ({:.3f}).".format(*result["answer"]))
    if result["blank"]:
        print(
            "So changed, {runs} runs with other facts answer {answer!r} most often ({share:.0%}); {right:.0%} of them "
            "are right, {unchanged:.0%} unchanged.".format(**result["blank"])
        )
    first = result["first"]
    print("Nothing differs." if first is None else f"The memory differs from segment {first + 1} on.")


def _map(model, run, update) -> dict:
    """The effect of ablating each slot before each segment."""
    from rmt.causes.slot_effects import slot_map

    return slot_map(model, run, progress=update)
