"""What all visitors share and what belongs to one: the only module that touches st.cache_* and st.session_state."""

import gc
import json

import streamlit as st

from rmt.errors import InputError
from rmt_viz import bring, texts
from rmt_viz.jobs import Job, Worker
from rmt_viz.library import ASSETS, LIVE, Library

CHECKPOINTS = ASSETS / "checkpoints"


@st.cache_resource(show_spinner=False)
def library() -> Library:
    return Library()


@st.cache_resource(show_spinner=False)
def worker() -> Worker:
    return Worker()


@st.cache_resource(show_spinner=False, max_entries=4)
def model(name: str):
    """A shipped checkpoint, loaded once; torch comes in here and nowhere else. Only the worker's thread runs it."""
    import torch

    from rmt.checkpoint import load

    torch.set_num_threads(1)
    loaded = load(CHECKPOINTS / name)
    gc.collect()
    gc.freeze()  # what torch brought stays for good; looking through it at each collection would stall the viewers
    return loaded


def checkpoints() -> dict[str, dict]:
    """Name -> config.json of the checkpoints in assets."""
    folders = sorted(path.parent for path in CHECKPOINTS.glob("*/config.json"))
    return {folder.name: json.loads((folder / "config.json").read_text()) for folder in folders}


def config_of(name: str) -> dict:
    """The config of a shipped checkpoint. Raises InputError where there is no such one."""
    if name not in checkpoints():
        raise InputError("There is no such checkpoint here; choose one of the list.")
    return checkpoints()[name]


def reset_of(id: str):
    """The reset control of a trained run, where there is one."""
    shelf = library()
    return shelf.open(f"{id}.reset") if "." not in id and shelf.has(f"{id}.reset") else None


def start_look(wanted: bring.Wanted) -> Job:
    """Find out in the background what a checkpoint is; the job's result is its report."""
    stop_look()
    st.session_state["look"] = worker().submit(lambda progress: bring.look(wanted), wanted)
    return st.session_state["look"]


def stop_look() -> None:
    if current_look():
        st.session_state.pop("look").stop.set()


def current_look() -> Job | None:
    """The visitor's last question about a checkpoint, answered or not."""
    return st.session_state.get("look")


def start_own_run(wanted: bring.Wanted, text: str, tokenizer: bool) -> Job:
    """Record a text, or ids where there is no tokenizer, with a visitor's own checkpoint, in the background."""
    texts.check_length(text)
    document = text if tokenizer else texts.token_ids(text)
    stop_run()
    job = worker().submit(lambda progress: library().add(bring.read(wanted, document, progress)), wanted)
    st.session_state["job"] = job
    return job


def take_upload(file) -> bool:
    """Check an uploaded trace, once; whether it is whole, and so the one shown next. Else `refusal` says why not."""
    if st.session_state.get("uploaded") == file.file_id:
        return False
    st.session_state.update(uploaded=file.file_id, refusal="")
    try:
        _show_next(library().add(bring.take_in(file.getvalue()), "uploaded"))
    except InputError as error:
        st.session_state["refusal"] = str(error)
    return not st.session_state["refusal"]


def refusal() -> str:
    """What is wrong with the trace uploaded last."""
    return st.session_state.get("refusal", "")


def start_run(text: str, checkpoint: str, segment_length: int) -> Job:
    """Record a text in the background; the visitor's earlier run, if it still goes, is stopped.

    The job's result is the id of the trace. Raises InputError for a text that cannot be run.
    """
    texts.check(text, config_of(checkpoint), segment_length)
    stop_run()
    job = worker().submit(lambda progress: _record(text, checkpoint, segment_length, progress))
    st.session_state["job"] = job
    return job


def stop_run() -> None:
    if current_run():
        current_run().stop.set()
    st.session_state.pop("job", None)


def current_run() -> Job | None:
    """The visitor's own job, if any."""
    return st.session_state.get("job")


def take_finished_run() -> bool:
    """Whether the visitor's run has just finished; if so, its trace is the one shown next."""
    job = current_run()
    if job is None or job.state != "done":
        return False
    del st.session_state["job"]
    _show_next(job.result)
    return True


def _show_next(id: str) -> None:
    st.session_state.setdefault("runs", []).append(id)
    st.session_state["wanted"] = id


def trace_names(asked: str | None) -> list[str]:
    """What this visitor can choose from: bundled traces, own runs, and the live run that the address names."""
    names = [*library().names(), *own_runs()]
    if asked and asked not in names and LIVE.fullmatch(asked) and library().has(asked):
        names.append(asked)
    return names


def begin(key: str, first, allowed) -> None:
    """A widget's value for its first time, or when what it had is gone; a run just made is shown at once."""
    if key == "trace" and st.session_state.get("wanted") in allowed:
        st.session_state[key] = st.session_state.pop("wanted")
    if st.session_state.get(key) not in allowed:
        st.session_state[key] = first


def own_runs() -> list[str]:
    """Ids of the visitor's runs that can still be opened, the newest last."""
    return [id for id in st.session_state.get("runs", []) if library().has(id)]


def _record(text: str, checkpoint: str, segment_length: int, progress) -> str:
    from rmt.recorder import record

    reader = model(checkpoint)
    reader.segment_length = segment_length  # safe: only the worker's one thread comes here
    return library().add(record(reader, text, detail="thin", progress=progress))
