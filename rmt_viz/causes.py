"""What-if, Facts and Why between engine and pages: bundled results checked, findings in words, work for the worker.

Nothing here loads torch before it is asked to work.
"""

import json
import math
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from rmt.errors import InputError
from rmt.intervene import changes as ch
from rmt.viewer.slices import Run
from rmt_viz.library import ASSETS, CONTROLS, with_control

RESULTS, EXAMPLES = ASSETS / "results", ASSETS / "what_if"
MOST_BYTES = 16 * 2**20
MOST_SEGMENTS = 512  # of a run that is read again while somebody waits
KEPT = 128
NEEDED = {  # what a file of each kind must hold to be shown
    "facts": ("survival", "capture", "retention", "slots", "interference"),
    "why": ("segments", "slots", "local", "memory", "facts", "output"),
    "slots": ("map",),
}


class Found:
    """Answers that were worked out for somebody and may be asked for again, the last ones."""

    def __init__(self):
        self.kept: OrderedDict[tuple, object] = OrderedDict()

    def put(self, key: tuple, value: object) -> object:
        self.kept[key] = value
        while len(self.kept) > KEPT:
            self.kept.popitem(last=False)
        return value

    def get(self, key: tuple) -> object | None:
        return self.kept.get(key)


def bundled(kind: str, name: str, fingerprint: str | None = None) -> dict | None:
    """A document of assets/results; None where there is none, or where it is of other weights than these."""
    path = RESULTS / f"{kind}.{name}.json"
    document = _read(kind, path, path.stat().st_mtime_ns) if path.is_file() else None
    made = (document or {}).get("made_by", {}).get("fingerprint")
    return document if fingerprint is None or made == fingerprint else None


@lru_cache(maxsize=64)
def _read(kind: str, path: Path, stamp: int) -> dict:
    try:
        document = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= MOST_BYTES else None
    except (ValueError, OSError):
        document = None
    if not isinstance(document, dict) or not set(NEEDED[kind]) <= set(document):
        raise InputError(f"assets/results/{path.name} is not what it should be; make it again.")
    return document


def of_checkpoint(run: Run) -> dict[str, dict]:
    """control -> facts over many runs of the checkpoint that made a run, for those controls that were counted."""
    name, found = run.trace.meta["made_by"]["checkpoint"], {}
    for control in CONTROLS:
        document = bundled("facts", with_control(name, control))
        if document:
            found[control] = document
    return found


def why_of(run: Run) -> dict | None:
    """The bundled explanation of a run."""
    found = bundled("why", run.id, run.trace.meta["made_by"]["fingerprint"]) if run.source == "recorded" else None
    return found if found and len(found.get("tokens", [])) == len(run.trace.arrays["ids"]) else None


def slots_of(run: Run) -> dict | None:
    """The bundled map of a run's slots."""
    found = bundled("slots", run.id, run.trace.meta["made_by"]["fingerprint"]) if run.source == "recorded" else None
    return found and found["map"]


def example_of(run: Run) -> Path | None:
    """The bundled what-if of a run."""
    path = EXAMPLES / f"{run.id}.trace.safetensors"
    return path if run.source == "recorded" and path.is_file() else None


def check(run: Run) -> None:
    """Raises InputError for a run that cannot be read again here."""
    if run.trace.done > MOST_SEGMENTS or not run.trace.complete:
        raise InputError(
            f"This run has {run.trace.n_segments:,} segments; what-ifs of more than {MOST_SEGMENTS} are made with "
            "python -m rmt what-if."
        )


def change(open_model: Callable, run: Run, text: str, donors: dict[str, Run], progress):
    """The run with these changes, as a trace. On the worker's thread."""
    from rmt.causes.what_if import what_if

    traces = {name: donor.trace for name, donor in donors.items()}
    return what_if(open_model(run), run.trace, ch.parse(text), donors=traces, progress=progress)


def map_slots(open_model: Callable, run: Run, progress) -> dict:
    """Both maps of a run's slots. On the worker's thread."""
    from rmt.causes.slot_effects import slot_map

    return slot_map(open_model(run), run.trace, progress=progress)


def explain(open_model: Callable, run: Run, progress) -> dict:
    """What made a run's answer, and its facts. On the worker's thread."""
    from rmt.causes.why import why

    return why(open_model(run), run.trace, progress=progress)


def donors_of(run: Run, others: list[Run]) -> list[Run]:
    """Runs that memory can be taken from: of the same weights."""
    weights = run.trace.meta["made_by"]["fingerprint"]
    return [other for other in others if other.trace.meta["made_by"]["fingerprint"] == weights]


def percent(share: float | None) -> str:
    """A share as people read it; 100 % only where it is all."""
    if share is None or not math.isfinite(share):
        return "–"
    return f"{share:.0%}" if share in (0, 1) else f"{min(max(share, 0.001), 0.999):.1%}"
