"""Forms of What if: what to change, the changes made so far, and the changed run."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from rmt.errors import InputError
from rmt.intervene import changes as ch
from rmt_viz import requests, session
from rmt_viz.shelf.library import Run
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import follow

NONE = "none"  # in the address: nothing is changed, where a run has an example
KINDS = {
    "text": "Edit a fact",
    "reset": "Reset memory",
    "ablate": "Ablate slots",
    "freeze": "Freeze slots",
    "noise": "Add noise",
    "transplant": "Transplant",
    "block": "Cut a path",
}
HOW = {"reword": "Reword", "delete": "Delete", "move": "Move", "insert": "Tell another"}
TO = {"mean": "their mean over other runs", "zero": "zero", "initial": "their initial value"}
CONTROL = "The control: the same change in runs with other facts"
CONTROL_STEP = CONTROL + ", {done:,} of {total:,} segments read"
PATH = {"read": "reading memory", "write": "writing memory", "carry": "memory to memory"}


@dataclass(frozen=True)
class Fact:
    """A fact of the run: its text, and its tokens from start to end."""

    text: str
    start: int
    end: int


def asked(run: Run) -> tuple[ch.Change, ...]:
    """The changes in the address; without any in it, those of the run's bundled example."""
    text = st.query_params.get("change")
    if text is None:
        example = requests.example(run)
        return ch.parse(example.trace.meta["changes"]) if example else ()
    try:
        return () if text == NONE else ch.parse(text)
    except InputError as error:
        say(str(error))
        return ()


def put(changes: tuple[ch.Change, ...]) -> None:
    """Write these changes into the address and run the page again."""
    st.query_params.pop("segment", None)  # of another change
    st.query_params["change"] = ch.write(changes) or NONE
    st.rerun()


def build(run: Run, changes: tuple[ch.Change, ...]) -> None:
    """The form for one more change, and a list of the changes so far."""
    with st.container(key="build", gap="small"):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            kind = st.selectbox("Change", KINDS, format_func=KINDS.get, key="change kind", width=150)
            new = FORMS[kind](run)
            if st.button("Try it", type="primary", key="change try", disabled=new is None):
                put((new,))
            if changes and st.button("Add to it", key="change add", disabled=new is None):
                put((*changes, new))
        if changes:
            remaining = st.pills(
                "Changes; click one to remove it",
                range(len(changes)),
                selection_mode="multi",
                default=[*range(len(changes))],
                format_func=lambda i: plain(ch.said(changes[i])[:80]),
                key=f"changes {ch.write(changes)}",
                label_visibility="collapsed",
                help="Click a change to remove it.",
            )
            if len(remaining) < len(changes):
                put(tuple(changes[i] for i in sorted(remaining)))


def made(run: Run, changes: tuple[ch.Change, ...]) -> Run | None:
    """The run with these changes, when it is ready; until then None, with its progress or its error shown."""
    text = ch.write(changes)
    ready = requests.what_if(run, text)
    if ready is not None:
        return ready
    job = session.current("what-if")
    if job is None or job.about != (run.id, text):
        try:
            job = requests.start_what_if(run, text)
        except InputError as error:
            say(str(error))
            return None
    follow("what-if", forget=False)
    if job.live or job.state == "failed":
        return None
    if job.state == "done":  # and forgotten since
        session.stop("what-if")
        st.rerun()
    else:
        st.info("Stopped. Change something, or try again.")
        if st.button("Try again", key="change again"):
            session.stop("what-if")
            st.rerun()
    return None


def control(run: Run, made: Run, changes: tuple[ch.Change, ...]) -> dict | None:
    """What runs with other facts answer after these changes; {} where nothing does, None while they are read.

    Their progress is shown, or why they cannot be read.
    """
    text = ch.write(changes)
    answers = requests.blank_answer(made, run, text)
    if answers is not None:
        return answers
    job = session.current("blank")
    if job is None or job.about != (run.id, text):
        try:
            job = requests.start_blank_answer(run, text)
        except InputError as error:
            say(str(error))
            return None
    follow("blank", CONTROL, CONTROL_STEP, forget=False)
    if job.state == "cancelled":
        st.caption("Stopped, so the control is missing: the same change in runs with other facts.")
    elif job.state == "done":  # since it was asked for, or its result is forgotten
        session.stop("blank")
        st.rerun()
    return None


def facts(run: Run) -> list[Fact]:
    """The facts of a run, from its spans."""
    spans = [span for span in run.trace.spans if span["kind"] == "fact"]
    texts = ["".join(run.trace.token_texts(span["start"], span["end"])).strip() for span in spans]
    return [Fact(text, span["start"], span["end"]) for text, span in zip(texts, spans, strict=True)]


def changed(text: str, classes: Sequence[str]) -> str:
    """A fact told otherwise: its last word that is an answer becomes another, a single word that it does not have."""
    words = [name for name in classes if name.isalpha()]
    found = [match for match in re.finditer(r"[a-z]+", text) if match[0] in words]
    if not found:
        return text
    last, after = found[-1], words.index(found[-1][0]) + 1
    others = [word for word in words[after:] + words[:after] if word not in {match[0] for match in found}]
    return text[: last.start()] + others[0] + text[last.end() :] if others else text


def _text(run: Run) -> ch.Change | None:
    known = facts(run)
    how = st.selectbox("How", [*HOW][0 if known else 3 :], format_func=HOW.get, key="text how", width=120)
    fact = known[0] if known else None
    if how != "insert" and len(known) > 1:
        chosen = st.selectbox(
            "Fact", range(len(known)), format_func=lambda i: known[i].text, key="text fact", width=220
        )
        fact = known[chosen]
    if how == "delete":
        return ch.Edit(fact.start, fact.end)
    if how in ("move", "insert"):
        segment = st.number_input("Before segment", 1, run.trace.n_segments, 1, key="text to", width=120)
        to = int(run.trace.arrays["starts"][segment - 1])
    if how == "move":
        return ch.Move(fact.start, fact.end, to)
    usual = changed(fact.text, run.trace.classes) if fact else "John moved to the garden."
    text = st.text_input(
        "Text", usual, max_chars=300, key=f"text of {run.id} {how} {fact and fact.start}", width=300
    ).strip()
    if not text:
        return None
    return ch.Edit(to, to, text) if how == "insert" else ch.Edit(fact.start, fact.end, text)


def _when(run: Run, *, slots: bool = True, first: int | None = None) -> dict:
    """The range of segments and the slots that a change applies to, as options of the change.

    first: where the range begins, which then goes to the end of the run; by default it is the last segment alone.
    """
    n = run.trace.n_segments
    start, end = (n if first is None else min(max(first, 1), n), n)
    if n > 1:
        key = f"when {run.id} {first}"
        start, end = st.slider("Before segments", 1, n, (start, end), key=key, width=220)
    when = {"first": start - 1, "last": None if start == end else end - 1}
    m = run.trace.arrays["memory"].shape[1]
    if slots and m:
        picked = st.multiselect("Slots", range(1, m + 1), key="slots", placeholder="all", width=170)
        when["slots"] = tuple(sorted(slot - 1 for slot in picked))
    return when


def _reset(run: Run) -> ch.Change:
    return ch.Reset(**_when(run))


def _ablate(run: Run) -> ch.Change:
    to = st.selectbox("To", TO, format_func=TO.get, key="ablate to", width=210)
    return ch.Ablate(**_when(run), to=to)


def _freeze(run: Run) -> ch.Change:
    own = st.toggle("as they were", key="freeze own", help="To what the unchanged run held at each moment.")
    return ch.Freeze(**_when(run, first=_told_in(run)), own=own)


def _told_in(run: Run) -> int:
    """The segment, counted from 1, that tells the first fact: memory frozen from before it on never learns of it."""
    known = facts(run)
    return run.trace.segment_of(known[0].start) + 1 if known else 1


def _noise(run: Run) -> ch.Change:
    scale = st.number_input("Size", 0.1, 100.0, 1.0, step=0.5, key="noise size", width=100)
    return ch.Noise(**_when(run), scale=round(scale, 3))


def _transplant(run: Run) -> ch.Change | None:
    donors = {donor.id: donor for donor in sorted(requests.donors(run), key=lambda donor: not differs(donor, run))}
    if not donors:
        st.caption("There is no run to take memory from.")
        return None
    chosen = st.selectbox("From", donors, format_func=lambda id: _told(donors[id]), key=f"donor {run.id}", width=230)
    donor = donors[chosen]
    at = st.number_input(
        "before its segment", 1, donor.trace.n_segments, donor.trace.n_segments, key="donor at", width=120
    )
    return ch.Transplant(**_when(run), donor=donor.id, at=at - 1)


def differs(donor: Run, run: Run) -> bool:
    """Whether a run is another text than this one, with another answer at its end: its memory would show."""
    return donor.trace.answer != run.trace.answer and [f.text for f in facts(donor)] != [f.text for f in facts(run)]


def _told(run: Run) -> str:
    known = facts(run)
    return (
        f"“{known[0].text}”, {run.trace.n_segments} segments" if known else f"{run.id}, {run.trace.n_segments} segments"
    )


def _block(run: Run) -> ch.Change:
    made = run.trace.meta["made_by"]
    path = st.selectbox("Path", PATH, format_func=PATH.get, key="block path", width=150)
    pick = {}
    for name, n in (("layer", made["layers"]), ("head", made["heads"])):
        options = ["all", *range(1, n + 1)]
        chosen = st.selectbox(name.capitalize(), options, key=f"block {name}", width=85)
        pick[name] = None if chosen == "all" else chosen - 1
    return ch.Block(**_when(run, slots=False), path=path, **pick)


FORMS = {
    "text": _text,
    "reset": _reset,
    "ablate": _ablate,
    "freeze": _freeze,
    "noise": _noise,
    "transplant": _transplant,
    "block": _block,
}
