"""The HTML file of a run, which opens offline and steps by keys, and the same in a notebook."""

import base64
import gzip
import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from rmt.errors import InputError
from rmt.trace import Trace
from rmt.viewer import bundle, keys, slices
from rmt.viewer.sentence import provenance, title
from rmt.viewer.slices import Run

DROPPED = 13  # bits of a float32's fraction (23) that a float16 (10) does not have
MOST = 5_000_000  # bytes of a file; a larger run is shown with fewer maps
DETAILS = {
    "heads": "",
    "means": "Maps are means of layers and heads here, so that the file stays small; the app has each head’s.",
    "none": "There are no maps here, so that the file stays small; the app has them.",
}
TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
<header><h1>{title}</h1><div class="controls"></div><p class="about"></p></header>
<main class="surface" aria-label="The run, segment by segment"></main>
{runs}
<script type="module">
{script}
</script>
</body>
</html>
"""
RUN = '<script type="text/plain" id="{name}">{packed}</script>'
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"


def page(
    trace: Trace, *, source: str = "recorded", controls: Mapping[str, Trace] | None = None, most: int = MOST
) -> str:
    """Make the page of a run as text; tokens are compressed in it and never part of its markup.

    controls: "reset" and "untrained", the same text with memory reset and by untrained weights, each one click away.
    most: bytes that the page should not exceed; first the controls' maps of single heads are left out, then the run's,
    then all maps. Raises InputError where there is no whole segment to show, and for a control of another text.
    """
    runs = {"run": Run(trace.path.name.split(".")[0], trace, source)}
    runs |= {name: Run(name, control, source) for name, control in (controls or {}).items()}
    for each in runs.values():
        if not each.trace.done:
            raise InputError(f"{each.trace.path.name} holds no whole segment yet; go on recording it.")
        each.trace.check_text()
        if not np.array_equal(each.trace.arrays["ids"], trace.arrays["ids"]):
            raise InputError(f"{each.trace.path.name} is a run over another text; give a control of {trace.path.name}.")

    @cache
    def packed(name: str, detail: str) -> str:
        beside = {other: runs[other] for other in runs if other != "run"} if name == "run" else {}
        return base64.b64encode(gzip.compress(_archive(runs[name], beside, detail), 9, mtime=0)).decode()

    for own, of_controls in _details(trace, most):
        text = _page(trace, {name: packed(name, own if name == "run" else of_controls) for name in runs})
        if len(text.encode()) <= most:
            break
    return text


def show(trace: Trace, *, height: int = 860) -> "Shown":
    """Show a run in a notebook's output, to step through without a server. height: in pixels."""
    return Shown(page(trace), height)


@dataclass(frozen=True)
class Shown:
    """A notebook output with a run's page in a frame of its own."""

    page: str = field(repr=False)
    height: int = 860

    def _repr_html_(self) -> str:
        inside = html.escape(self.page, quote=True)
        return (
            f'<iframe srcdoc="{inside}" title="A run, segment by segment" sandbox="allow-scripts allow-downloads" '
            f'style="width: 100%; height: {self.height}px; border: 0; border-radius: 12px"></iframe>'
        )


def _details(trace: Trace, most: int) -> list[tuple[str, str]]:
    """The levels of maps to try, (of the run, of its controls), the most first; those surely too large are left out."""
    if "read" not in trace.arrays:
        return [("none", "none")]
    maps = sum(trace.arrays[name].nbytes for name in ("read", "write"))
    heads = [("heads", "heads"), ("heads", "means")] if maps < 2 * most else []
    return [*heads, ("means", "means"), ("none", "none")]


def _page(trace: Trace, packed: Mapping[str, str]) -> str:
    return TEMPLATE.format(
        policy=POLICY,
        title=html.escape(title(trace)),
        style=bundle.read("page.css") + bundle.read("facts.css") + bundle.style(),
        runs="\n".join(RUN.format(name=name, packed=text) for name, text in packed.items()),
        script=bundle.script(*bundle.MODULES, "source.js", "offline.js"),
    )


def _archive(run: Run, controls: Mapping[str, Run], detail: str) -> bytes:
    """Pack all slices of a run (overview, segments, heads) after a first slice with their positions."""
    reset = controls.get("reset")
    mapped = "read" in run.trace.arrays
    detail = detail if mapped else "none"
    about = [*provenance(run.trace, run.source), *([DETAILS[detail]] if mapped and DETAILS[detail] else [])]
    colours = slices.colours(run, reset)
    parts = [slices.overview(run, controls=controls)]
    for index in range(run.trace.done):
        meta, arrays = slices.segment_parts(run, index, reset=reset, maps=detail != "none")
        parts.append(slices.pack(meta, **_short(arrays)))
        if detail == "heads":
            record = run.trace.segments[index]
            parts.append(slices.pack({}, **_short({"read": record.read, "write": record.write})))
    options = {"colours": colours, "keys": keys.table(), "view": slices.opening(run, colours)}
    options |= {"about": " · ".join(about)}
    options |= {"heads": detail == "heads", "locked": DETAILS[detail] if mapped else None}
    ends = np.cumsum([len(part) for part in parts])
    return slices.pack({"options": options}, ends=ends) + b"".join(parts)


def _short(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Round floats to the precision of float16, which thin maps have: they compress to half the size."""
    return {name: _rounded(array) if array.dtype.kind == "f" else array for name, array in arrays.items()}


def _rounded(array: np.ndarray) -> np.ndarray:
    bits = np.array(array, np.float32).view(np.uint32)
    whole = np.isfinite(array)
    bits[whole] = (bits[whole] + (1 << DROPPED - 1)) >> DROPPED << DROPPED
    return bits.view(np.float32)
