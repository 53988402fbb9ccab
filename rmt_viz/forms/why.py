"""Forms of Why: from which words to follow the path, which token to explain, and the path as it is asked for."""

from dataclasses import dataclass

import streamlit as st

from rmt.errors import InputError
from rmt.intervene import edges
from rmt_viz import requests, session
from rmt_viz.server import address
from rmt_viz.shelf.library import Run
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.progress import COUNTED, follow

FIELDS = ("from", "explain", "cut")  # of the address, beside the run


@dataclass(frozen=True)
class Asked:
    """What the address asks for: tokens to follow (start, end), a token to explain, the edges that are cut."""

    words: tuple[int, int] | None
    token: int | None
    cut: str


def asked(run: Run, name: str) -> Asked:
    """What the address asks for of a run; nothing where it is the address of another one."""
    n = len(run.trace.arrays["ids"])
    limits = {"from": n, "explain": n, "cut": None}
    named = st.query_params.get("trace", session.library().names()[0])
    wanted = address.read(st.query_params if named == name else {}, limits)
    words = None
    if wanted["from"]:
        first, last = map(int, wanted["from"].split("-"))
        words = (first - 1, last)
    token = None if run.trace.classes or not wanted["explain"] else wanted["explain"] - 1
    return Asked(words, token, wanted["cut"] or "")


def put(**fields: str | None) -> None:
    """Write these fields into the address, leave out those that are None, and run the page again."""
    for name, value in fields.items():
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value
    session.hold("address", st.query_params.to_dict())  # not a link that the visitor followed
    st.rerun()


def follow_words(start: int, end: int) -> None:
    """Follow these tokens from now on."""
    put(**{"from": f"{start + 1}-{end}", "cut": None})


def pick_words(run: Run, explanation: dict, shown: tuple[int, int] | None) -> None:
    """The list of the run's facts to follow, those first without which the answer is least likely."""
    found = explanation.get("path") or {}
    told = {(fact["start"], fact["end"]): fact["text"] for fact in sorted(found.get("facts", []), key=_left)}
    if shown and shown not in told:
        text = "".join(run.trace.token_texts(*shown)).strip()
        told[shown] = f"the word “{text}” in segment {run.trace.segment_of(shown[0]) + 1}"
    if not told or not shown:
        return
    key = f"why from {run.id} {shown}"
    chosen = st.selectbox("Follow from", told, [*told].index(shown), format_func=told.get, key=key, width=420,
                          help="A fact of this run; or click a word of the text below.")  # fmt: skip
    if chosen != shown:
        follow_words(*chosen)


def _left(fact: dict) -> float:
    return fact["own"]


def path(run: Run, words: tuple[int, int], token: int | None) -> dict | None:
    """The path from these tokens, when it is ready; until then None, with its progress or its error shown."""
    ready = requests.path(run, *words, token)
    if ready is None:
        _made("path", ("path", run.id, *words, token), lambda: requests.start_path(run, *words, token))
    return ready


def cut(run: Run, words: tuple[int, int], token: int | None, text: str) -> dict | None:
    """The answer with several edges of a path cut together, when it is ready; one alone is among its numbers."""
    if len(edges.parse(text)) < 2:
        return None
    ready = requests.cut(run, *words, text, token)
    if ready is None:
        _made("cut", ("cut", run.id, *words, token, text), lambda: requests.start_cut(run, *words, text, token))
    return ready


def _made(kind: str, about: tuple, start) -> None:
    """Start a job unless it is going or has failed already; its progress or its error is shown."""
    job = session.current(kind)
    if job is None or job.about != about:
        try:
            start()
        except InputError as error:
            say(str(error))
            return
    follow(kind, step=COUNTED, forget=False)
    if (job := session.current(kind)) and job.state == "done":
        session.stop(kind)
        st.rerun()
