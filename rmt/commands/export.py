"""The command `export`: a trace, a what-if or a comparison as one HTML file, to step through offline."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Json
from rmt.errors import InputError
from rmt.files import written_whole


def export(
    trace: Annotated[Path, typer.Argument(help="A trace file.", show_default=False)],
    html: Annotated[Path, typer.Option(help="Where the page goes.", show_default=False)],
    reset: Annotated[Path | None, typer.Option(help="The same text with memory reset, to go beside it.")] = None,
    untrained: Annotated[Path | None, typer.Option(help="The same text by untrained weights, to go beside it.")] = None,
    beside: Annotated[
        Path | None, typer.Option(help="A second run on the same cursor: what rmt what-if --out wrote, or any other.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a trace, or two side by side, as one HTML file that opens offline, in any browser, and steps by keys."""
    from rmt.trace import Trace
    from rmt.viewer.page import page

    if not html.parent.is_dir():
        raise InputError(f"The folder {html.parent} does not exist; make it first.")
    if html.is_dir():
        raise InputError(f"{html} is a folder; give the name of a file in it.")
    if html.exists() and not _is_page(html):
        raise InputError(f"{html} is no page that this command wrote, and stays as it is; give the name of a new file.")
    opened = Trace.open(trace)
    controls = {"reset": reset, "untrained": untrained}
    given = {name: Trace.open(path) for name, path in controls.items() if path}
    other = beside and Trace.open(beside)
    text = page(opened, controls=given, beside=other, names=other and _names(other))
    with written_whole(html) as part:
        part.write_text(text, encoding="utf-8")
    size = len(text.encode())
    if as_json:
        print(json.dumps({"html": str(html), "bytes": size, "segments": opened.done}, indent=1))
    else:
        print(f"Wrote {opened.done} segments to {html} ({size / 1e6:.1f} MB); open it in a browser.")


def _names(other) -> tuple[str, str] | None:
    """The titles over a run and its what-if, None for any other second run."""
    from rmt.intervene.changes import parse, said

    changes = other.meta.get("changes")
    return ("As it was", f"Changed: {'; '.join(map(said, parse(changes)))}") if changes else None


def _is_page(path: Path) -> bool:
    """Whether a file is empty or begins like a page; a device or a pipe is none."""
    if not path.is_file():
        return False
    with open(path, "rb") as file:
        head = file.read(100).lstrip().lower()
    return not head or head.startswith(b"<!doctype html")
