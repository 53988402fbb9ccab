"""Jobs on a checkpoint that a visitor names: locate it, inspect it, record with it. Torch is loaded only in a job."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rmt.errors import InputError
from rmt.trace import Trace, validate
from rmt.trace.writer import temporary
from rmt_viz.work.score import record_text

ROOT = Path(os.environ.get("RMT_VIZ_ROOT") or Path.cwd()).resolve()  # what visitors may name lies under it
YES_NO = {"yes": True, "no": False}
MOST_TOLD = 5  # problems of one trace that are worth a visitor's time


@dataclass(frozen=True)
class CheckpointChoice:
    """A checkpoint as a visitor asks for it; a field that is None is taken from the checkpoint's files.

    name: of a shipped one, else a folder under the root, a hub name, or one of `rmt.checkpoint.packages.PRETRAINED`.
    options: of its memory and its texts, as (name, value), where "yes" and "no" are what they say.
    fresh: slots of an untrained memory to put around a model that has none.
    """

    name: str
    shipped: Path | None = None
    segment_length: int | None = None
    backbone: str | None = None
    options: tuple[tuple[str, object], ...] = ()
    fresh: int = 0
    detail: str = "thin"  # what is recorded of a text: less where a model's attention cannot be


def look(wanted: CheckpointChoice):
    """The `rmt.checkpoint.report.Report` of a checkpoint, in which local paths are replaced by the visitor's names."""
    from rmt.checkpoint import inspect

    with _places(wanted) as (folder, given, rename):
        report = inspect(folder, **given)
        renamed = {name: _each(value, rename) for name, value in asdict(report).items()}
    if report.asks:
        renamed["next"] = "Enter it below, and look again."
    return replace(report, **{**renamed, "path": wanted.name})


def read(wanted: CheckpointChoice, document, progress: Callable[[int, int], None]) -> Trace:
    """The trace of a text, or of token ids, read with the checkpoint."""
    with opened(wanted) as model:
        return record_text(model, document, progress, wanted.detail)


@contextmanager
def opened(wanted: CheckpointChoice) -> Iterator:
    """Open the checkpoint as a model; error messages have local paths replaced."""
    from rmt.checkpoint import load
    from rmt.checkpoint.adapter import wrap

    with _places(wanted) as (folder, given, _):
        if wanted.fresh:
            special = (given["options"] or {}).get("special_tokens", True)
            length = wanted.segment_length
            model = wrap(folder, n_memory=wanted.fresh, segment_length=length, special_tokens=special)
        else:
            model = load(folder, **given)
        model.about.name = Path(wanted.name).name + (", untrained memory" if wanted.fresh else "")
        yield model


def take_in(content: bytes) -> Trace:
    """The trace in an uploaded file, checked to its last number. Raises InputError with what is wrong with it."""
    path, keep = temporary()
    path.write_bytes(content)
    problems = validate(path)
    if problems:
        more = [f"And {len(problems) - MOST_TOLD} more like these."] if len(problems) > MOST_TOLD else []
        raise InputError(" ".join([*problems[:MOST_TOLD], *more]).replace(path.name, "The file"))
    trace = Trace.open(path, keep=keep)
    if not trace.done:
        raise InputError("The file holds no whole segment yet; go on recording it.")
    return trace


@contextmanager
def _places(wanted: CheckpointChoice) -> Iterator[tuple]:
    """Locate the checkpoint: (folder or name, options for `load`, rename); error messages have local paths replaced.

    rename(text) replaces local paths in a text by the names that the visitor gave.
    """
    from rmt.checkpoint.backbone_config import STOCK
    from rmt.checkpoint.locate import locate
    from rmt.checkpoint.packages import PRETRAINED

    options = {name: YES_NO.get(value, value) for name, value in wanted.options}
    given = {"segment_length": wanted.segment_length, "backbone": None, "options": options or None}
    folder = wanted.shipped or _allowed(wanted.name, PRETRAINED)
    folder = folder if isinstance(folder, Path) else locate(folder)
    if wanted.backbone:
        given["backbone"] = _allowed(wanted.backbone, STOCK)

    _check_base(folder, given["backbone"], wanted.name)

    def rename(text: str) -> str:
        for place, name in ((folder, wanted.name), (given["backbone"], wanted.backbone)):
            text = text.replace(str(place), name) if isinstance(place, Path) else text
        return text.replace(f"{ROOT}{os.sep}", "")

    try:
        yield folder, given, rename
    except InputError as error:
        raise InputError(rename(str(error))) from None


def _check_base(folder, backbone, name: str) -> None:
    """Check the base model of an adapter. Raises InputError where it lies outside the folder visitors may read."""
    if backbone is not None or not isinstance(folder, Path):
        return
    from rmt.checkpoint.peft_folder import find_adapter

    adapter = find_adapter(folder) if folder.is_dir() else None
    base = adapter.config.get("base_model_name_or_path") if adapter else None
    if not isinstance(base, str):
        return
    for place in (Path(base), adapter.folder / base):
        if place.exists() and not place.resolve().is_relative_to(ROOT):
            raise InputError(
                f"{name} is an adapter of a base model that lies outside the folder this app may read; copy that model "
                "under it, and give its folder as the backbone."
            )


def _allowed(name: str, known) -> Path | str:
    """The path under ROOT that a name stands for, or the name itself: a known one, or a repository of the hub."""
    from rmt.checkpoint.locate import REPOSITORY, printable, resolve_under

    try:
        return resolve_under(ROOT, printable(name))
    except InputError:
        hub = REPOSITORY.fullmatch(name) and not name.startswith(".") and ".." not in name
        if (name in known or hub) and not os.path.exists(name):  # a folder here that is not under the root stays shut
            return name
        raise


def _each(value, rename: Callable[[str], str]):
    """A field of a report with every string renamed."""
    if isinstance(value, list):
        return [_each(item, rename) for item in value]
    return rename(value) if isinstance(value, str) else value
