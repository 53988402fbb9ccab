"""Bundled explanations, slot maps and what-ifs of assets, checked as they are read."""

from functools import lru_cache
from pathlib import Path

from rmt.errors import InputError
from rmt.viewer.slices import Run
from rmt_viz.shelf.json_file import read_json
from rmt_viz.shelf.library import ASSETS, CONTROLS, with_control

RESULTS = ASSETS / "results"
EXAMPLES = ASSETS / "what_if"
NEEDED = {  # what a file of each kind must hold to be shown
    "facts": ("survival", "capture", "retention", "slots", "interference"),
    "why": ("segments", "slots", "local", "memory", "facts", "output"),
    "slots": ("map",),
}


def bundled(kind: str, name: str, fingerprint: str | None = None) -> dict | None:
    """A JSON document of assets/results; None where there is none, or where it was made with other weights."""
    path = RESULTS / f"{kind}.{name}.json"
    document = _read(kind, path, path.stat().st_mtime_ns) if path.is_file() else None
    made = (document or {}).get("made_by", {}).get("fingerprint")
    return document if fingerprint is None or made == fingerprint else None


@lru_cache(maxsize=64)
def _read(kind: str, path: Path, stamp: int) -> dict:
    document = read_json(path)
    if not isinstance(document, dict) or not set(NEEDED[kind]) <= set(document):
        raise InputError(f"assets/results/{path.name} is not what it should be; make it again.")
    return document


def of_checkpoint(run: Run) -> dict[str, dict]:
    """control -> facts counted over many runs of the checkpoint that made this run; only the counted controls."""
    name, documents = run.trace.meta["made_by"]["checkpoint"], {}
    for control in CONTROLS:
        document = bundled("facts", with_control(name, control))
        if document:
            documents[control] = document
    return documents


def why_of(run: Run) -> dict | None:
    """The bundled explanation of a run, or None."""
    document = bundled("why", run.id, run.trace.meta["made_by"]["fingerprint"]) if run.source == "recorded" else None
    return document if document and len(document.get("tokens", [])) == len(run.trace.arrays["ids"]) else None


def slots_of(run: Run) -> dict | None:
    """The bundled slot map of a run, or None."""
    document = bundled("slots", run.id, run.trace.meta["made_by"]["fingerprint"]) if run.source == "recorded" else None
    return document and document["map"]


def example_of(run: Run) -> Path | None:
    """The file of the bundled what-if of a run, or None."""
    path = EXAMPLES / f"{run.id}.trace.safetensors"
    return path if run.source == "recorded" and path.is_file() else None
