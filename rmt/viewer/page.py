"""A run as one HTML file that opens offline and steps by keys; and the same in a notebook."""

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

DROPPED = 13  # of the 23 bits of a float32's fraction: a float16 has 10
MOST = 5_000_000  # bytes of a file; a run that is larger is told with fewer maps
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
    """The whole page as text, tokens compressed in it and never part of its markup.

    controls: "reset" and "untrained", the same text with memory reset and by weights that were never trained, each one
    click away. most: bytes it should not exceed; first the controls' maps of single heads are left out, then the run's,
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
        reset = runs.get("reset") if name == "run" else None
        return base64.b64encode(gzip.compress(_archive(runs[name], reset, detail), 9, mtime=0)).decode()

    for own, of_controls in _details(trace, most):
        text = _page(trace, {name: packed(name, own if name == "run" else of_controls) for name in runs})
        if len(text.encode()) <= most:
            break
    return text


def show(trace: Trace, *, height: int = 860) -> "Shown":
    """The run to step through in a notebook's output, without a server. height: in pixels."""
    return Shown(page(trace), height)


@dataclass(frozen=True)
class Shown:
    """A run in a notebook's output: the page in a frame of its own, apart from the notebook's."""

    page: str = field(repr=False)
    height: int = 860

    def _repr_html_(self) -> str:
        inside = html.escape(self.page, quote=True)
        return (
            f'<iframe srcdoc="{inside}" title="A run, segment by segment" sandbox="allow-scripts allow-downloads" '
            f'style="width: 100%; height: {self.height}px; border: 0; border-radius: 12px"></iframe>'
        )


def _details(trace: Trace, most: int) -> list[tuple[str, str]]:
    """What the page may hold of the run and of its controls, the most first; what is surely too large is not tried."""
    if "read" not in trace.arrays:
        return [("none", "none")]
    maps = sum(trace.arrays[name].nbytes for name in ("read", "write"))
    heads = [("heads", "heads"), ("heads", "means")] if maps < 2 * most else []
    return [*heads, ("means", "means"), ("none", "none")]


def _page(trace: Trace, packed: Mapping[str, str]) -> str:
    return TEMPLATE.format(
        policy=POLICY,
        title=html.escape(title(trace)),
        style=bundle.read("page.css") + bundle.style(),
        runs="\n".join(RUN.format(name=name, packed=text) for name, text in packed.items()),
        script=bundle.script(*bundle.MODULES, "source.js", "offline.js"),
    )


def _archive(run: Run, reset: Run | None, detail: str) -> bytes:
    """Slices one after another behind a slice that says where each begins: overview, segments, heads."""
    mapped = "read" in run.trace.arrays
    detail = detail if mapped else "none"
    about = [*provenance(run.trace, run.source), *([DETAILS[detail]] if mapped and DETAILS[detail] else [])]
    colours = slices.colours(run, reset)
    parts = [slices.overview(run)]
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
    """Floats rounded to the digits of float16, as thin maps have them: they compress to half."""
    return {name: _rounded(array) if array.dtype.kind == "f" else array for name, array in arrays.items()}


def _rounded(array: np.ndarray) -> np.ndarray:
    bits = np.array(array, np.float32).view(np.uint32)
    whole = np.isfinite(array)
    bits[whole] = (bits[whole] + (1 << DROPPED - 1)) >> DROPPED << DROPPED
    return bits.view(np.float32)
