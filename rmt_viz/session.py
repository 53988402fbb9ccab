"""What all visitors share and what belongs to one: the only module that touches st.cache_* and st.session_state."""

import copy
import gc
import logging
import re
from collections.abc import Callable
from urllib.parse import urlsplit

import streamlit as st

from rmt.errors import InputError
from rmt_viz.findings import one_text
from rmt_viz.shelf import results
from rmt_viz.shelf.checkpoints import configs
from rmt_viz.shelf.found import Found
from rmt_viz.shelf.kept_runs import KeptRuns
from rmt_viz.shelf.library import ASSETS, LIVE, Library, Run, with_control
from rmt_viz.work import visitors_checkpoint
from rmt_viz.work.queue import Job, Jobs, Worker
from rmt_viz.work.replays import Replays

CHECKPOINTS = ASSETS / "checkpoints"
SEED = re.compile("[0-9]{1,9}")
LOG = logging.getLogger(__name__)
MOST_RUNS = 64  # that one visit may make
HOW_ON = "Reload the page to go on; each of them stays under its own address."


@st.cache_resource(show_spinner=False)
def library() -> Library:
    return Library(kept=KeptRuns())


@st.cache_resource(show_spinner=False, scope="session", on_release=Jobs.end)
def _jobs() -> Jobs:
    return Jobs()


@st.cache_resource(show_spinner=False)
def worker() -> Worker:
    return Worker()


@st.cache_resource(show_spinner=False, max_entries=4)
def model(name: str):
    """A shipped checkpoint, loaded once for all; torch comes in here and nowhere else.

    Jobs take turns with it, so none changes it: what one has to set, it sets on a copy that shares the weights.
    """
    import torch

    from rmt.checkpoint import load

    torch.set_num_threads(1)
    loaded = load(CHECKPOINTS / name)
    loaded.about.name = name  # a folder of a stage says no more than its number
    gc.collect()
    gc.freeze()  # what torch brought stays for good; looking through it at each collection would stall the viewers
    return loaded


@st.cache_resource(show_spinner=False)
def found() -> Found:
    """What was worked out for visitors."""
    return Found()


@st.cache_resource(show_spinner=False)
def replays() -> Replays:
    return Replays(maker)


@st.cache_resource(show_spinner=False, max_entries=4)
def _untrained(name: str, seed: int):
    from rmt.checkpoint import untrained

    return untrained(CHECKPOINTS / name, seed=seed)


@st.cache_resource(show_spinner=False, max_entries=2)
def _visitors(wanted: visitors_checkpoint.Wanted):
    with visitors_checkpoint.opened(wanted) as reader:
        return reader


def maker(run: Run):
    """The model that made a run, as a copy of one's own that shares its weights with others.

    Raises InputError where its weights are not here.
    """
    return copy.copy(_maker(run))


def _maker(run: Run):
    made = run.trace.meta["made_by"]
    name, fingerprint = made["checkpoint"], made["fingerprint"]
    if run.maker is not None and run.maker.shipped is None:
        return _visitors(run.maker)
    if name not in every_checkpoint():
        raise InputError(
            f"The weights that made this run, of the checkpoint {name}, are not among those of this app; "
            "open them on the Models page and record the text there."
        )
    seed = fingerprint.removeprefix("untrained-")
    return _untrained(name, int(seed)) if seed != fingerprint and SEED.fullmatch(seed) else model(name)


@st.cache_resource(show_spinner=False, max_entries=8)
def _results(name: str, stamp: int) -> results.Results:
    return results.read(name)


def result(name: str) -> results.Results:
    """A table of assets/results, read again when its file is another one. Raises InputError where there is none."""
    path = results.FOLDER / f"{name}.json"
    return _results(name, path.stat().st_mtime_ns if path.is_file() else 0)


def checkpoints() -> dict[str, dict]:
    """Name -> config.json of the checkpoints in assets."""
    return configs(CHECKPOINTS)


def every_checkpoint() -> dict[str, dict]:
    """Those, and the ones kept of stages of training, under their path: "detect-stages/3"."""
    return configs(CHECKPOINTS, stages=True)


def config_of(name: str) -> dict:
    """The config of a shipped checkpoint. Raises InputError where there is no such one."""
    if name not in every_checkpoint():
        raise InputError("There is no such checkpoint here; choose one of the list.")
    return every_checkpoint()[name]


def reset_of(id: str):
    """The reset control of a trained run, where there is one that can be opened."""
    shelf = library()
    try:
        return shelf.open(f"{id}.reset") if "." not in id and shelf.has(f"{id}.reset") else None
    except InputError:  # damaged: it takes the run itself not with it, and says so where it is chosen
        return None


def start(slot: str, work: Callable, about: object = None) -> Job:
    """work(progress) in the background, one a visitor and slot: what still goes there is stopped.

    Raises InputError where the visitor has as many jobs going as one may have, or everybody together has.
    """
    stop(slot)
    _check_runs()
    st.session_state[slot] = _jobs().start(worker(), work, about, slot)
    return st.session_state[slot]


def _check_runs() -> None:
    """Raises InputError where the visitor has as many runs as one visit may make."""
    if len(own_runs()) >= MOST_RUNS:
        raise InputError(f"You have {MOST_RUNS} runs here, as many as one visit may make. {HOW_ON}")


def held(key: str, default=None):
    """What a page or a widget holds under a key for this visitor."""
    return st.session_state.get(key, default)


def hold(key: str, value) -> None:
    """Keep a value for this visitor; under a widget's key it becomes what the widget shows."""
    st.session_state[key] = value


def stop(slot: str) -> None:
    if current(slot):
        st.session_state.pop(slot).stop.set()


def current(slot: str) -> Job | None:
    """The visitor's job of this slot, going or ended."""
    return st.session_state.get(slot)


def take_finished(slot: str) -> str | None:
    """The id of the trace that the visitor's job of a slot has just made, once."""
    job = current(slot)
    if job is None or job.state != "done":
        return None
    del st.session_state[slot]
    st.session_state.setdefault("runs", []).append(job.result)
    return job.result


def take_upload(file) -> bool:
    """Check an uploaded trace, once; whether it is whole, and so the one shown next. Else `refusal` says why not."""
    if st.session_state.get("uploaded") == file.file_id:
        return False
    st.session_state.update(uploaded=file.file_id, refusal="")
    try:
        _check_runs()
        _show_next(library().add(visitors_checkpoint.take_in(file.getvalue()), "uploaded"))
    except InputError as error:
        st.session_state["refusal"] = str(error)
    LOG.info("an upload of %d bytes was %s", file.size, "refused" if st.session_state["refusal"] else "taken in")
    return not st.session_state["refusal"]


def refusal() -> str:
    """What is wrong with the trace uploaded last."""
    return st.session_state.get("refusal", "")


def take_finished_run() -> bool:
    """Whether the visitor's run has just finished; if so, its trace is the one shown next."""
    id = take_finished("run")
    st.session_state["wanted"] = id or st.session_state.get("wanted")
    return id is not None


def _show_next(id: str) -> None:
    st.session_state.setdefault("runs", []).append(id)
    st.session_state["wanted"] = id


def trace_names(asked: str | None) -> list[str]:
    """What this visitor can choose from: bundled traces, own runs, and the live run that the address names."""
    names = [*library().names(), *own_runs()]
    if asked and asked not in names and LIVE.fullmatch(asked) and "." not in asked and library().has(asked):
        names.append(asked)
    return names


def gone(asked: str | None) -> bool:
    """Whether an address names a run made in a session that is not here any more."""
    return bool(asked) and LIVE.fullmatch(asked) is not None and not library().has(asked)


def begin(key: str, first, allowed, *, asked: bool = False) -> None:
    """A widget's value for its first time, or when what it had is gone; a run just made is shown at once.

    asked: the visitor has just come to the page by an address that names the value, which then is the one shown.
    """
    held = st.session_state.get(key)
    if asked or held not in allowed:
        held = first
    if key == "trace" and st.session_state.get("wanted") in allowed:
        held = st.session_state.pop("wanted")
    if arrived(f"widget {key}") or held != st.session_state.get(
        key
    ):  # on another page it is another widget, which begins anew
        st.session_state[key] = held


def arrived(who: str = "page") -> bool:
    """Whether this is the first run of the page since the visitor came to it; each that asks is told once."""
    page = urlsplit(st.context.url or "").path
    came = st.session_state.get(f"{who} was on") != page
    st.session_state[f"{who} was on"] = page
    return came


def comparable(id: str) -> list[str]:
    """Runs that one can be compared with: its own controls first, what it is a control of, then all others."""
    shelf, own = library(), id.partition(".")[0]
    names = [own, *(name for name in [*shelf.names(), *own_runs()] if name != own)]
    found = [with_control(name, control) for name in names for control in shelf.controls(name)]
    return sorted((other for other in found if other != id), key=lambda other: not other.startswith(f"{own}."))


def newest_run() -> str | None:
    return (own_runs() or [None])[-1]


def recorded() -> list[tuple[str, str, str, int]]:
    """(name, task, checkpoint, segments) of each run that this visitor can open; what cannot be opened is left out."""
    found = []
    for name in [*library().names(), *own_runs()]:
        try:
            trace = library().open(name).trace
        except InputError:
            continue
        found.append((name, trace.meta["task"] or "", trace.meta["made_by"]["checkpoint"], trace.n_segments))
    return found


def scored_runs() -> list[str]:
    """Runs of language models that have a reset control of the same text beside them; the visitor's own come last."""
    found = []
    for name in [*library().names(), *own_runs()]:
        try:
            reset = reset_of(name)
            if reset and one_text.comparable(library().open(name).trace, reset.trace):
                found.append(name)
        except InputError:
            continue
    return found


def language_models() -> list[str]:
    """Shipped checkpoints that predict the next token."""
    return [name for name, config in checkpoints().items() if config.get("task") == "language_model"]


def own_scores() -> list:
    """The rows of the visitor's own scoring, as far as it has come."""
    job = current("score")
    return list(job.about) if job else []


def own_runs() -> list[str]:
    """Ids of the visitor's runs that can still be opened, the newest last."""
    return [id for id in st.session_state.get("runs", []) if library().has(id)]
