"""Write the static site: the page, its script and styles, and each run's slices as compressed archives."""

import gzip
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from rmt.errors import InputError
from rmt.files import written_whole
from rmt.viewer import archive, bundle, keys, slices
from rmt.viewer.sentence import provenance, title
from rmt_viz.findings import tour
from rmt_viz.findings.essay import Sources, Surface
from rmt_viz.shelf import results
from rmt_viz.shelf.library import ASSETS, LABELS, Library, Run, with_control
from rmt_viz.work import replays
from rmt_viz.work.shipped_models import open_shipped

HERE = Path(__file__).parent
TOUR = HERE.parent / "components"  # what draws the Tour in the app draws it here, too
ESSAY = ("story.js", "lanes.js", "switches.js", "passage.js", "plot.js", "presenter.js", "essay.js")
CHUNK = 8  # segments a file
WHOLE = 16  # segments of a run, at most, whose whole attention maps are written
MARK = "rmt-viz-site.json"  # says that a folder holds such a site
MODELS = "The model that made this run was not at hand when this site was made; these are the recorded blocks."
CONTROLS = "Whole maps are written for the trained run; of a control these are the recorded blocks."
LONG = f"Whole maps are written for runs of {WHOLE} segments or fewer; these are the recorded blocks."


def export_site(
    folder: Path,
    library: Library,
    names: Sequence[str] | None = None,
    *,
    whole_maps: bool = True,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Write the site of these runs and their controls into a new folder, or over such a site; returns its bytes.

    names: ids of the library without controls, by default all. whole_maps: replay segments for their whole attention
    maps and their slots as words, where the checkpoint is in assets/checkpoints. Raises InputError for an unknown name,
    and for a folder that holds something else.
    """
    names = list(names or library.names())
    if unknown := [name for name in names if name not in library.names()]:
        raise InputError(f"There is no run {unknown[0]!a}; choose from {', '.join(library.names())}.")
    _make_room(folder)
    ids = [with_control(name, control) for name in names for control in library.controls(name)]
    runs = [library.open(id) for id in ids]
    lengths = sorted({run.trace.done for run in runs})
    listed, models = [], _Models() if whole_maps else None
    for i, run in enumerate(runs):
        progress(i, len(runs))
        family = [other for other in runs if other is not run and other.id.split(".")[0] == run.id.split(".")[0]]
        controls = {other.id.partition(".")[2]: other for other in family} if "." not in run.id else {}
        _write_run(folder / "data" / run.id, run, controls, family, lengths, models)
        listed.append(_listed(run, controls))
    data = {"runs": listed, "keys": keys.table(), "chunk": CHUNK, "steps": _steps(library, ids), "next": []}
    _write(folder / "data" / "runs.json", json.dumps(data, ensure_ascii=False).encode())
    _write(folder / "index.html", (HERE / "index.html").read_bytes())
    script = bundle.script(*bundle.MODULES, "source.js", "kept.js", *(TOUR / name for name in ESSAY), HERE / "site.js")
    _write(folder / "site.js", script.encode())
    styles = [
        bundle.read("page.css"),
        bundle.read("facts.css"),
        bundle.style(),
        *(bundle.read(TOUR / name) for name in ("lanes.css", "tour.css")),
    ]
    _write(folder / "site.css", "\n".join([*styles, bundle.read(HERE / "site.css")]).encode())
    progress(len(runs), len(runs))
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _steps(library: Library, ids: Sequence[str]) -> list[dict]:
    """The steps of the Tour without those whose run is not written; none where there is no run of the Tour at all."""
    runs = {step.slug: step.figure.trace for step in tour.STEPS if isinstance(step.figure, Surface)}
    left_out = {slug for slug, run in runs.items() if run not in ids}
    if len(left_out) == len(runs):
        return []
    return tour.essay(Sources(library.open, results.read), [slug for slug in tour.SLUGS if slug not in left_out])


class _Models:
    """The models that made the runs, opened once each; None where a checkpoint is not here."""

    def __init__(self):
        self.opened: dict = {}

    def of(self, run: Run):
        name = run.trace.meta["made_by"]["checkpoint"]
        checkpoint = ASSETS / "checkpoints" / name
        if name not in self.opened:
            there = checkpoint.is_relative_to(ASSETS / "checkpoints") and (checkpoint / "config.json").is_file()
            self.opened[name] = open_shipped(checkpoint, name) if there else None
        return self.opened[name]


def _make_room(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the site.")
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARK).is_file():
            raise InputError(f"{folder} holds other files; give a new folder, or one that holds such a site.")
        shutil.rmtree(folder / "data", ignore_errors=True)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    _write(folder / MARK, b'{"made_by": "rmt-viz export-site"}\n')


def _listed(run: Run, controls: dict[str, Run]) -> dict:
    """What the page knows of a run before its files are there."""
    name, _, control = run.id.partition(".")
    colours = slices.colours(run, controls.get("reset"))
    return {
        "id": run.id,
        "name": name,
        "control": control,
        "label": LABELS[control or "trained"],
        "title": title(run.trace),
        "about": " · ".join(provenance(run.trace, run.source)),
        "segments": run.trace.done,
        "colours": colours,
        "view": slices.opening(run, colours),
        "heads": "read" in run.trace.arrays,
    }


def _write_run(
    folder: Path, run: Run, controls: dict[str, Run], family: list[Run], lengths: list[int], models: _Models | None
) -> None:
    """The files of a run: run.bin, and segments-0.bin, segments-1.bin, ... of CHUNK segments each."""
    folder.mkdir(parents=True)
    longer = [length for length in lengths if length > run.trace.done]
    parts = {"overview": slices.overview(run, controls=controls, family=family)}
    parts |= {f"overview?over={length}": slices.overview(run, length, controls, family) for length in longer}
    parts |= archive.memory_parts(run, family)
    _write_archive(folder / "run.bin", parts)
    model, why = _model(run, models)
    for chunk, (first, end) in enumerate(_chunks(run.trace.done)):
        parts = {}
        for index in range(first, end):
            replayed, words = _replayed(model, run, index)
            parts |= archive.segment_parts(run, index, reset=controls.get("reset"))
            parts |= archive.moment_parts(run, index, family)
            parts |= archive.map_parts(run, index, replayed, why)
            parts |= words
        _write_archive(folder / f"segments-{chunk}.bin", parts)


def _model(run: Run, models: _Models | None) -> tuple[object | None, str]:
    """The model for replays, and why there is none."""
    if "." in run.id:
        return None, CONTROLS
    if run.trace.done > WHOLE:
        return None, LONG
    model = models.of(run) if models else None
    return model, "" if model else MODELS


def _replayed(model, run: Run, index: int):
    """A segment with its whole maps, and its slots as words; nothing where the model did not make this run."""
    if model is None:
        return None, {}
    try:
        replayed = replays.whole_maps(model, run, index)
        words = archive.memory_slices.words(run.trace, index, replays.slots_as_words(model, run, index), state="ready")
    except InputError:
        return None, {}
    return replayed, {f"words/{index}": words}


def _chunks(n: int) -> list[tuple[int, int]]:
    return [(first, min(first + CHUNK, n)) for first in range(0, n, CHUNK)]


def _write_archive(path: Path, parts: dict[str, bytes]) -> None:
    _write(path, gzip.compress(archive.archive(parts), 9, mtime=0))


def _write(path: Path, data: bytes) -> None:
    with written_whole(path) as part:
        part.write_bytes(data)
