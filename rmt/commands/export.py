"""The command `export`: a trace as one HTML file, to step through offline."""

import json
from pathlib import Path
from typing import Annotated

import typer

from rmt.commands.common import Json
from rmt.errors import InputError


def export(
    trace: Annotated[Path, typer.Argument(help="A trace file.", show_default=False)],
    html: Annotated[Path, typer.Option(help="Where the page goes.", show_default=False)],
    reset: Annotated[Path | None, typer.Option(help="The same text with memory reset, to go beside it.")] = None,
    untrained: Annotated[Path | None, typer.Option(help="The same text by untrained weights, to go beside it.")] = None,
    as_json: Json = False,
) -> None:
    """Write a trace as one HTML file that opens offline, in any browser, and steps by keys."""
    from rmt.trace import Trace
    from rmt.viewer.page import page

    if not html.parent.is_dir():
        raise InputError(f"The folder {html.parent} does not exist; make it first.")
    if html.is_dir():
        raise InputError(f"{html} is a folder; give the name of a file in it.")
    opened = Trace.open(trace)
    controls = {"reset": reset, "untrained": untrained}
    text = page(opened, controls={name: Trace.open(path) for name, path in controls.items() if path})
    html.write_text(text, encoding="utf-8")
    size = len(text.encode())
    if as_json:
        print(json.dumps({"html": str(html), "bytes": size, "segments": opened.done}, indent=1))
    else:
        print(f"Wrote {opened.done} segments to {html} ({size / 1e6:.1f} MB); open it in a browser.")
