"""Why: which words, slots and segments made this answer?"""

import streamlit as st

from rmt.intervene import changes as ch
from rmt_viz import requests
from rmt_viz.components import credit
from rmt_viz.components import path as picture
from rmt_viz.figures import why as figures
from rmt_viz.findings import path as paths
from rmt_viz.findings import why as findings
from rmt_viz.forms import why as forms
from rmt_viz.forms.pick_run import pick_run
from rmt_viz.shelf import menu
from rmt_viz.widgets import chart, links, progress
from rmt_viz.widgets.markdown import plain

TAKES = (
    "By segment, slot and word: what the output loses without them. By token also integrated gradients, "
    "back-propagated through every segment’s memory, which takes some seconds."
)
CLICK = "Click a word of the text below to follow it to the answer."


def page() -> None:
    """The path of the answer's cause, and the parts of it: by segment, by token, by slot, memory and local text."""
    picked = pick_run(permalink=True, also=forms.FIELDS)
    if picked is None:
        return
    run, asked = picked[0], forms.asked(picked[0], picked[1])
    explanation = requests.why(run, asked.token)
    with st.container(key="title", gap="xxsmall"):
        st.subheader(menu.ALL["why"].question, anchor=False)
        st.caption("An attention map shows where a model looked; here is what its answer depends on.")
    if not explanation:
        with st.container(gap="small"):
            st.caption(plain(TAKES))
            progress.offer("why", "Explain this run", lambda: requests.start_why(run, asked.token), progress.STEPS)
        return
    with st.container(gap="small"):
        _path(run, explanation, asked)
        _segments(run, explanation, findings.why(explanation, run))
        _words(run, explanation)
        left, right = st.columns(2, gap="medium")
        with left:
            _local(run, explanation)
        with right:
            _slots(run, explanation)


def _path(run, explanation: dict, asked: forms.Asked) -> None:
    """The picture of the path from the words asked for, or from the fact that the answer depends on."""
    found = explanation.get("path")
    words = asked.words or (found and (found["start"], found["end"]))
    if words is None:
        st.caption(CLICK)
        return
    forms.pick_words(run, explanation, words)
    found = forms.path(run, words, asked.token)
    if found is None:
        return
    finding = paths.path(found)
    changed = picture.show(run, found, asked.cut, forms.cut(run, words, asked.token, asked.cut), finding)
    if changed is not None and changed != asked.cut:
        forms.put(cut=changed or None)
    caption = "Each line cut alone: what it sends becomes what the other text would send, and the run is read on."
    chart.numbers(name="why-path", run=run.id, table=paths.table(found), caption=caption)
    name, _, control = run.id.partition(".")
    where, change = {"trace": name, "control": control or None}, ch.Edit(*words, found["exchanged"])
    with st.container(horizontal=True, gap="medium"):
        links.to_view("what-if", "Tell it so in What if", **where, change=ch.write([change]))
        slot = found["edges"][max(range(len(found["read"])), key=lambda i: found["read"][i])] + 1
        links.to_view("attention", f"Slot {slot} in Attention", **where, segment=run.trace.n_segments, slot=slot)
        links.to_view("watch", "The segment that tells it", **where, segment=run.trace.segment_of(words[0]) + 1)


def _segments(run, explanation: dict, finding: str) -> None:
    names = [*range(1, len(explanation["segments"])), "alone"]
    x = "segment passed over; “alone”: the last one, read with reset memory"
    figure = figures.parts(explanation["segments"], names, finding, x=x, y="part of the logit", theme=chart.theme(),
                           width=1000, height=260)  # fmt: skip
    chart.show(figure, name="why-segments", run=run.id, alt=f"Parts of the output by segment. {finding}.",
                table=findings.why_table(explanation),
                caption="What the logit loses when memory passes over a segment as if it were not there.")  # fmt: skip


def _words(run, explanation: dict) -> None:
    """The text of the segments that count most, each word coloured by its part; a click follows or explains it."""
    n = len(explanation["segments"])
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        more = st.number_input("Show segment, too", 1, n, None, key=f"why segment {run.id}", placeholder="–", width=150)
        explain = False
        if not run.trace.classes:
            what = ("follow it to the output", "explain it")
            explain = st.segmented_control("A click on a word", what, default=what[0], key="why click") == what[1]
    word = credit.show(run, explanation, more and more - 1)
    if word is not None and explain:
        forms.put(**{"explain": str(word + 1), "from": None, "cut": None})
    elif word is not None:
        forms.follow_words(word, word + 1)
    caption = (
        f"Colour: integrated gradients from the mean embedding, {explanation['steps']:,} steps; the parts miss the "
        f"output’s change by {explanation['gap']:.2%} (completeness gap). {findings.disagreement(explanation)}"
    )
    chart.numbers(name="why-tokens", run=run.id, table=findings.tokens_table(explanation, run), caption=caption)


def _local(run, explanation: dict) -> None:
    finding = findings.local(explanation)
    if explanation["classes"]:
        figure = figures.local_and_memory(explanation, finding, theme=chart.theme())
    else:
        names = range(1, len(explanation["memory"]) + 1)
        figure = figures.parts(explanation["memory"], names, finding, x="token of the last segment",
                               y="nats from memory", theme=chart.theme(), width=430, height=330)  # fmt: skip
    chart.show(figure, name="why-local", run=run.id, alt=f"Memory against local text. {finding}.",
                table=findings.local_table(explanation),
                caption=f"The last segment with memory at {findings.base(explanation)}, and what its own "
                "adds.")  # fmt: skip


def _slots(run, explanation: dict) -> None:
    finding, names = findings.by_slot(explanation), [f"{i + 1}" for i in range(len(explanation["slots"]))]
    figure = figures.parts(explanation["slots"], names, finding, x="slot, before the last segment",
                           y="part of the logit", theme=chart.theme(), width=430, height=330)  # fmt: skip
    chart.show(figure, name="why-slots", run=run.id, alt=f"Parts of the output by slot. {finding}.",
                table=findings.by_slot_table(explanation),
                caption=f"How far the logit falls when the slot gets {findings.base(explanation)}.")  # fmt: skip
