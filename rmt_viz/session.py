"""State shared by all visitors and state of one: the only module that touches st.cache_* and st.session_state.

More than 300 lines, because no other module may touch that state.
"""

import copy
import logging
import math
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st

from rmt.errors import InputError
from rmt_viz.findings import one_text
from rmt_viz.shelf import experiment, results
from rmt_viz.shelf.checkpoints import configs
from rmt_viz.shelf.kept_runs import KeptRuns
from rmt_viz.shelf.library import ASSETS, LIVE, OWN, Library, Run, with_control
from rmt_viz.shelf.result_cache import ResultCache
from rmt_viz.work import engine, shipped_models, visitors_checkpoint
from rmt_viz.work.causes import KeptFreshRuns
from rmt_viz.work.experiment import Experiments
from rmt_viz.work.queue import NICE, Job, Jobs, Worker
from rmt_viz.work.replays import Replays

CHECKPOINTS = ASSETS / "checkpoints"
SEED = re.compile("[0-9]{1,9}")
LOG = logging.getLogger(__name__)
WANTED = {"trace": "wanted", "loss text": "wanted text"}  # widget -> where the run is held that it shows next
MOST_RUNS = 64  # that one visit may make
SLICES = 32 << 20  # bytes of them that are kept: of a run of 64 segments that ships, each with one map, half a megabyte


@st.cache_resource(show_spinner=False)
def library() -> Library:
    """The library of traces, one for all visitors."""
    return Library(kept=KeptRuns(), own=Path(OWN) if OWN else None)


@st.cache_resource(show_spinner=False)
def worker() -> Worker:
    """The worker that runs all visitors' jobs by turns."""
    return Worker(prepare=engine.load, nice=NICE)


@st.cache_resource(show_spinner=False, scope="session", on_release=Jobs.leave)
def _present() -> Jobs:  # forgotten whenever the connection ends, whereas st.session_state comes back with it
    return st.session_state.setdefault("all jobs", Jobs())


def _jobs() -> Jobs:
    """The visitor's jobs; asking for them says that the visitor is here."""
    _present().left = math.inf
    return _present()


@st.cache_resource(show_spinner=False, max_entries=4)
def model(name: str):
    """The model of a shipped checkpoint, opened once for all visitors: what a job has to set, it sets on a copy."""
    return shipped_models.open_shipped(CHECKPOINTS / name, name)


@st.cache_resource(show_spinner=False)
def result_cache() -> ResultCache:
    """The results that jobs have computed, one cache for all visitors."""
    return ResultCache()


@st.cache_resource(show_spinner=False)
def kept_slices() -> ResultCache:
    """Slices that visitors step to, as bytes: most of them look at the same runs."""
    return ResultCache(SLICES, len)


@st.cache_resource(show_spinner=False)
def fresh_runs() -> KeptFreshRuns:
    """Fresh runs of the models' tasks, kept for all visitors' what-ifs."""
    return KeptFreshRuns()


@st.cache_resource(show_spinner=False)
def replays() -> Replays:
    """The queue of replays, one for all visitors."""
    return Replays(maker)


@st.cache_resource(show_spinner=False)
def experiments() -> Experiments:
    """The front page's experiments, as they are asked for."""
    name = experiment.CHECKPOINT
    folder = CHECKPOINTS / name  # models of their own: those of other pages are cut to other segments now and then
    return Experiments(
        lambda trained: (
            shipped_models.open_shipped(folder, name) if trained else shipped_models.open_untrained(folder, 0)
        )
    )


@st.cache_resource(show_spinner=False, max_entries=4)
def _untrained(name: str, seed: int):
    return shipped_models.open_untrained(CHECKPOINTS / name, seed)


@st.cache_resource(show_spinner=False, max_entries=2)
def _visitors(wanted: visitors_checkpoint.CheckpointChoice):
    with visitors_checkpoint.opened(wanted) as reader:
        return reader


def maker(run: Run):
    """The model that made a run: a copy that shares its weights. Raises InputError where its weights are not here."""
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
    """A table of assets/results, read again when its file has changed. Raises InputError where there is none."""
    path = results.FOLDER / f"{name}.json"
    return _results(name, path.stat().st_mtime_ns if path.is_file() else 0)


def checkpoints() -> dict[str, dict]:
    """The shipped checkpoints: name -> config.json."""
    return configs(CHECKPOINTS)


def every_checkpoint() -> dict[str, dict]:
    """The shipped checkpoints and those kept of training stages, named by their path: "detect-stages/3"."""
    return configs(CHECKPOINTS, stages=True)


def config_of(name: str) -> dict:
    """The config.json of a shipped checkpoint. Raises InputError where there is no such one."""
    if name not in every_checkpoint():
        raise InputError("There is no such checkpoint here; choose one of the list.")
    return every_checkpoint()[name]


def reset_of(id: str):
    """The reset control of a trained run, or None where there is none that can be opened."""
    shelf = library()
    try:
        return shelf.open(f"{id}.reset") if "." not in id and shelf.has(f"{id}.reset") else None
    except InputError:  # damaged, which it says where it is chosen; the run itself is shown without it
        return None


def controls_of(id: str) -> dict[str, Run]:
    """The controls of a trained run over the same text: "reset" and "untrained", those that there are."""
    names = [name for name in library().controls(id) if name != "trained"] if "." not in id else []
    return {name: library().open(with_control(id, name)) for name in names}


def family_of(id: str) -> list[Run]:
    """The runs over the text of this one that are shown on its scales: the trained run and its controls."""
    name, family = id.partition(".")[0], []
    for control in library().controls(name):
        try:
            family.append(library().open(with_control(name, control)))
        except InputError:  # damaged, which it says where it is chosen
            continue
    return family


def start(kind: str, work: Callable, about: object = None) -> Job:
    """Start work(progress) in the background; an earlier job of this kind is stopped. Raises InputError at a limit."""
    stop(kind)
    _check_runs()
    st.session_state[kind] = _jobs().start(worker(), work, about, kind)
    return st.session_state[kind]


def _check_runs() -> None:
    if len(own_runs()) >= MOST_RUNS:
        raise InputError(f"You have {MOST_RUNS} runs, as many as one visit may make; reload the page to go on.")


def held(key: str, default=None):
    """The value that a page or a widget holds under a key for this visitor."""
    return st.session_state.get(key, default)


def hold(key: str, value) -> None:
    """Store a value for this visitor; under a widget's key it becomes what the widget shows."""
    st.session_state[key] = value


def stop(kind: str) -> None:
    """Stop and remove the visitor's job of this kind, if there is one."""
    if current(kind):
        st.session_state.pop(kind).stop.set()


def current(kind: str) -> Job | None:
    """The visitor's job of this kind, running or ended, or None."""
    _jobs()
    return st.session_state.get(kind)


def take_finished(kind: str) -> str | None:
    """The id of the trace that a finished job of this kind has made; each is returned once, else None."""
    job = current(kind)
    if job is None or job.state != "done":
        return None
    del st.session_state[kind]
    st.session_state.setdefault("runs", []).append(job.result)
    return job.result


def take_upload(file) -> bool:
    """Check an uploaded trace, once. Returns whether it is whole and is shown next; else `refusal` says why not."""
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
    """The sentence on what is wrong with the trace uploaded last; "" where nothing is."""
    return st.session_state.get("refusal", "")


def take_finished_run() -> bool:
    """Whether the visitor's run has just finished; if so, its trace is shown next."""
    id = take_finished("run")
    st.session_state["wanted"] = id or st.session_state.get("wanted")
    return id is not None


def _show_next(id: str) -> None:
    st.session_state.setdefault("runs", []).append(id)
    st.session_state["wanted"] = id


def show_text_next(id: str) -> None:
    """Have the list of texts on Loss show this run when the page runs next."""
    st.session_state["wanted text"] = id


def trace_names(asked: str | None) -> list[str]:
    """The traces this visitor can choose from: bundled ones, own runs, and the run that the address names."""
    names = [*library().names(), *own_runs()]
    if asked and asked not in names and LIVE.fullmatch(asked) and "." not in asked and library().has(asked):
        names.append(asked)
    return names


def gone(asked: str | None) -> bool:
    """Whether the address names a run made in a session that is no longer here."""
    return bool(asked) and LIVE.fullmatch(asked) is not None and not library().has(asked)


def begin(key: str, first, allowed, *, asked: bool = False) -> None:
    """Set a widget's value at its first run, or when its value is no longer allowed; a run just made is shown at once.

    asked: the visitor has just come by an address that names the value `first`, which is then shown.
    """
    held = st.session_state.get(key)
    if asked or held not in allowed:
        held = first
    if st.session_state.get(WANTED.get(key)) in allowed:
        held = st.session_state.pop(WANTED[key])
    # On another page the widget is another one, which loses its value.
    if arrived(f"widget {key}") or held != st.session_state.get(key):
        st.session_state[key] = held


def arrived(who: str = "page") -> bool:
    """Whether the visitor has just come to this page. who: the caller's name; each caller is answered True once."""
    page = urlsplit(st.context.url or "").path
    came = st.session_state.get(f"{who} was on") != page
    st.session_state[f"{who} was on"] = page
    return came


def comparable(id: str) -> list[str]:
    """The ids of the runs that a run can be compared with: its own controls first, then all others."""
    shelf, own = library(), id.partition(".")[0]
    names = [own, *(name for name in [*shelf.names(), *own_runs()] if name != own)]
    ids = [with_control(name, control) for name in names for control in shelf.controls(name)]
    return sorted((other for other in ids if other != id), key=lambda other: not other.startswith(f"{own}."))


def newest_run() -> str | None:
    """The id of the visitor's newest run, or None."""
    return (own_runs() or [None])[-1]


def recorded() -> list[tuple[str, str, str, int]]:
    """(name, task, checkpoint, segments) of each run that this visitor can open; damaged ones are left out."""
    runs = []
    for name in [*library().names(), *own_runs()]:
        try:
            trace = library().open(name).trace
        except InputError:
            continue
        runs.append((name, trace.meta["task"] or "", trace.meta["made_by"]["checkpoint"], trace.n_segments))
    return runs


def runs_of_training() -> list[Run]:
    """A person's own traces, those that can be opened: a training may have recorded them."""
    runs = []
    for name in library().own_names():
        try:
            runs.append(library().open(name))
        except InputError:
            continue
    return runs


def scored_runs() -> list[str]:
    """The ids of runs of language models with a reset control of the same text; the visitor's own come last."""
    names = []
    for name in [*library().names(), *own_runs()]:
        try:
            reset = reset_of(name)
            if reset and one_text.comparable(library().open(name).trace, reset.trace):
                names.append(name)
        except InputError:
            continue
    return names


def language_models() -> list[str]:
    """The names of the shipped checkpoints that predict the next token."""
    return [name for name, config in checkpoints().items() if config.get("task") == "language_model"]


def own_scores() -> list:
    """The scores of the visitor's own scoring job, as far as it has come."""
    job = current("score")
    return list(job.about) if job else []


def own_runs() -> list[str]:
    """The ids of the visitor's runs that can still be opened, the newest last."""
    return [id for id in st.session_state.get("runs", []) if library().has(id)]
