"""The HTML file of a run, which opens offline and steps by keys, and the same in a notebook."""

import base64
import gzip
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from rmt.errors import InputError
from rmt.trace import Trace
from rmt.viewer import archive, bundle, keys, slices
from rmt.viewer.sentence import provenance, title
from rmt.viewer.slices import Run

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
    trace: Trace,
    *,
    source: str = "recorded",
    controls: Mapping[str, Trace] | None = None,
    beside: Trace | None = None,
    names: tuple[str, str] | None = None,
    most: int = MOST,
) -> str:
    """Make the page of a run as text; tokens are compressed in it and never part of its markup.

    controls: "reset" and "untrained", the same text with memory reset and by untrained weights, each one click away.
    beside: a second run on the same cursor, in place of controls: the same run with something changed (as `what_if`
    makes it), or any run to compare with. names: titles over the two runs. most: bytes that the page should not exceed;
    first the other runs' maps of single heads are left out, then the run's, then all maps. Raises InputError where
    there is no whole segment to show, for a control of another text, and for controls with a second run.
    """
    runs = {"run": Run(trace.path.name.split(".")[0], trace, source)}
    runs |= {name: Run(name, control, source) for name, control in (controls or {}).items()}
    for each in runs.values():
        _check(each.trace)
        if not np.array_equal(each.trace.arrays["ids"], trace.arrays["ids"]):
            raise InputError(f"{each.trace.path.name} is a run over another text; give a control of {trace.path.name}.")
    if beside:
        if controls:
            raise InputError("A page holds a run with its controls, or two runs side by side; give one of them.")
        _check(beside)
        runs["beside"] = Run("beside", beside, source)
    over = max(run.trace.done for run in runs.values())
    family = [] if beside else [*runs.values()]

    @cache
    def packed(name: str, detail: str) -> str:
        others = {other: runs[other] for other in runs if other not in ("run", "beside")} if name == "run" else {}
        options = _beside(trace, beside, names, over) if beside else {}
        with_it = [run for other, run in runs.items() if other != name] if beside else []
        return base64.b64encode(
            gzip.compress(_archive(runs[name], others, detail, with_it, family, options), 9, mtime=0)
        ).decode()

    for own, of_others in _details(trace, most):
        text = _page(trace, {name: packed(name, own if name == "run" else of_others) for name in runs})
        if len(text.encode()) <= most:
            break
    return text


def _check(trace: Trace) -> None:
    if not trace.done:
        raise InputError(f"{trace.path.name} holds no whole segment yet; go on recording it.")
    trace.check_text()


def _beside(trace: Trace, beside: Trace, names: tuple[str, str] | None, over: int) -> dict:
    """The surface's options for two runs: its page, and the titles over both."""
    changes = beside.meta.get("changes")
    own = ("As it was", f"Changed: {changes}") if changes else (title(trace), title(beside))
    return {"page": "what-if" if changes else "compare", "names": names or own, "over": over}


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
        script=bundle.script(*bundle.MODULES, "source.js", "kept.js", "offline.js"),
    )


def _archive(
    run: Run, controls: Mapping[str, Run], detail: str, beside: Sequence[Run], family: Sequence[Run], more: dict
) -> bytes:
    """Pack all slices of a run: overview, segments, heads; beside a second run its memory, too."""
    reset = controls.get("reset")
    mapped = "read" in run.trace.arrays
    detail = detail if mapped else "none"
    about = [*provenance(run.trace, run.source), *([DETAILS[detail]] if mapped and DETAILS[detail] else [])]
    colours = slices.colours(run, reset)
    parts = {"overview": slices.overview(run, more.get("over", 0), controls=controls, family=family)}
    if beside:
        parts |= archive.memory_parts(run, beside)
    for index in range(run.trace.done):
        parts |= archive.segment_parts(run, index, reset=reset, detail=detail)
        if beside:
            parts |= archive.moment_parts(run, index, beside)
    begin = {"show": "watch"} if more.get("page") == "compare" else {}
    options = {"colours": colours, "keys": keys.table(), "view": {**begin, **slices.opening(run, colours)}}
    options |= {"about": " · ".join(about)}
    options |= {"heads": detail == "heads", "locked": DETAILS[detail] if mapped else None, **more}
    return archive.archive(parts, options=options)
