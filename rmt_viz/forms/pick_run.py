"""The sidebar's widgets for the run that a page shows: which trace, which control, and where it comes from."""

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

import streamlit as st

from rmt.errors import InputError
from rmt.tasks import TASKS, whole_title
from rmt.viewer.sentence import provenance
from rmt_viz import session
from rmt_viz.forms.own_text import own_text
from rmt_viz.server import address
from rmt_viz.shelf.kept_runs import HOW_LONG
from rmt_viz.shelf.library import LABELS, LIVE, Run, with_control
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.links import to_run
from rmt_viz.widgets.markdown import plain

HELP = (
    "The same text, read by the trained model, by the same model with its memory reset before every segment, "
    "and by a model that was never trained."
)


def pick_run(*, permalink: bool = False, also: Sequence[str] = ()) -> tuple[Run, str, str] | None:
    """The run chosen in the sidebar or named by the address, with its name and its control; None where none is.

    permalink: the choice is written into the address here, on a page without the surface, which does that elsewhere.
    also: fields of the address that stay in it as long as it is of this run.
    """
    if session.gone(st.query_params.get("trace")):
        _say_gone()
        return None
    with st.sidebar:
        names = session.trace_names(st.query_params.get("trace"))
        if not names:
            say("There is no trace in assets/traces; record one with python -m rmt record.")
            return None
        came = session.arrived()
        followed = permalink and not came and st.query_params.to_dict() != session.held("address")  # a link, or Back
        asked = (came and "trace" in st.query_params) or followed
        name = _pick_trace(names, asked)
        control = _pick_control(name, asked)
        run = session.library().open(with_control(name, control))
        if permalink:
            _keep_address(name, control, also)
        st.caption("  \n".join(map(plain, provenance(run.trace, run.source))))
        if LIVE.fullmatch(run.id):
            _offer_file(run)
        ask = st.button("Your own text …", key="own text", width="stretch")
    if ask:
        own_text()
    return run, name, control


def _keep_address(name: str, control: str, also: Sequence[str]) -> None:
    """Make the page's address one of the run that it shows; what is the default is left out."""
    first = session.library().names()[0]
    same = st.query_params.get("trace", first) == name
    chosen = {"trace": name, "control": control} | {field: st.query_params.get(field) for field in also if same}
    query = address.link(chosen, {"trace": first, "control": "trained"})
    if dict(parse_qsl(query.lstrip("?"))) != st.query_params.to_dict():
        st.query_params.from_dict(dict(parse_qsl(query.lstrip("?"))))
    session.hold("address", st.query_params.to_dict())


def offer(page, label: str, suits: Callable[[Run], bool]) -> None:
    """A link to the first bundled run that suits a page, where there is one. page: as Streamlit lists it."""
    for name in session.library().names():
        try:
            if suits(session.library().open(name)):
                to_run(page, name, f"{label}: {_title(name)}", icon=":material/arrow_forward:")
                return
        except InputError:  # damaged
            continue


def _say_gone() -> None:
    """Say that the run of this address is no longer here, and show no other run in its place."""
    st.warning(
        "The run of this address is not here any more. Record its text again (Your own text, or Models for a "
        "checkpoint "
        "of your own), or open its trace file on the Models page if it was downloaded."
    )
    if st.button("Show a run that is here", key="show another"):
        st.query_params.clear()
        st.rerun()


def _offer_file(run: Run) -> None:
    st.download_button(
        "Run as a trace file",
        run.trace.path.read_bytes,
        f"{run.trace.path.name.removeprefix('live-')}",
        "application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        width="stretch",
        help=plain(HOW_LONG),
    )


def pick_beside(run: Run) -> tuple[Run, str, tuple[str, str]] | None:
    """The second run of a comparison: the run, its id for the address, and the titles over both runs."""
    ids = session.comparable(run.id)
    with st.sidebar:
        if not ids:
            say(
                "There is nothing to compare this run with; record another text (Your own text), or open a trace on "
                "the Models page."
            )
            return None
        first = address.read(st.query_params, {"with": ids}, {"with": ids[0]})["with"]
        session.begin("with", first, ids, asked=session.arrived("with") and "with" in st.query_params)
        titles = apart({id: _control_first(id) for id in ids})
        id = st.selectbox("Compare with", ids, format_func=titles.get, key="with", persist_state="session")
    return session.library().open(id), id, (_whole_title(run.id), _whole_title(id))


def _whole_title(id: str) -> str:
    """A run's title with its control."""
    name, _, control = id.partition(".")
    return _title(name) + (f", {LABELS[control].lower()}" if control else "")


def _control_first(id: str) -> str:
    """A run's title with the control first, as narrow lists show it: the part that differs is not cut off."""
    name, _, control = id.partition(".")
    return f"{LABELS[control]}: {_title(name)}" if control else _title(name)


def _pick_trace(names: list[str], asked: bool) -> str:
    first = address.read(st.query_params, {"trace": names}, {"trace": names[0]})["trace"]
    session.begin("trace", first, names, asked=asked)
    titles = apart({name: _title(name) for name in names})
    return st.selectbox("Trace", names, format_func=titles.get, key="trace", persist_state="session")


def _pick_control(name: str, asked: bool) -> str:
    controls = session.library().controls(name)
    if len(controls) < 2:
        return controls[0]
    key = f"control of {name}"
    query = st.query_params if st.query_params.get("trace", session.library().names()[0]) == name else {}
    first = address.read(query, {"control": controls}, {"control": "trained"})["control"]
    session.begin(key, first, controls, asked=asked)
    return st.segmented_control(
        "Control",
        controls,
        format_func=LABELS.get,
        key=key,
        required=True,
        help=HELP,
        width="stretch",
        persist_state="session",
    )


def apart(titles: dict[str, str]) -> dict[str, str]:
    """Titles of runs by id, with the id in front where one before has the same: a choice is remembered by its title."""
    first = {title: id for id, title in reversed(titles.items())}
    return {id: title if first[title] == id else f"{id}: {title}" for id, title in titles.items()}


def _title(name: str) -> str:
    try:
        run = session.library().open(name)
    except InputError:  # said in full when it is chosen; the others stay open to choose
        return f"{name}, cannot be opened"
    begin = "".join(run.trace.token_texts(0, min(6, len(run.trace.arrays["ids"])))).strip()
    task = run.trace.meta["task"]
    known = whole_title(task) if task in TASKS else (task or name).partition("_")[0].capitalize()
    called = f"“{begin[:10]} …”" if run.source != "recorded" else known
    return f"{called}, {run.trace.n_segments} segments"
