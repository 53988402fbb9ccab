"""Forms of Loss: which text, and the visitor's own text read with a language model."""

from collections.abc import Sequence

import streamlit as st

from rmt.errors import InputError
from rmt_viz import requests, session
from rmt_viz.findings import loss
from rmt_viz.shelf.results import Losses
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import follow
from rmt_viz.work.visitors_checkpoint import CheckpointChoice

OWN = "A folder, or a name of the hub …"
LONGEST_NAME = 200
TEXT = (
    "Margaret Ellery kept the lighthouse at Corran Point for thirty-one years, and in all that time the lamp "
    "failed only once. The keeper before her, Tobias Wren, had left a book of rules, and Margaret followed the "
    "book of rules to the letter: trim the wick at dusk, wind the clockwork at midnight, write the weather in "
    "the log before breakfast.\n\n"
    "In the winter of her last year a ship called the Halcyon came too near the rocks below Corran Point. "
    "Margaret saw her lanterns from the gallery and knew what the captain did not know, that the tide was "
    "turning and that the channel north of the point would be dry within the hour. She wound the clockwork "
    "again, though it was not midnight, and swung the beam of the lamp three times across the deck of the "
    "Halcyon, as the book of rules of Tobias Wren told a keeper to do.\n\n"
    "The captain understood. The Halcyon went about, and by breakfast she lay at anchor in the bay. Margaret "
    "wrote the weather in the log, as on every morning, and under it, for the first time in thirty-one years, "
    "a line that was not about the weather: the Halcyon is safe, and so are the rules of Tobias Wren."
)


def mechanisms(rows: Sequence[Losses]) -> list[str]:
    """The names of the mechanisms and controls that are switched on; at first no control is."""
    names = loss.plain_names(rows)
    controls = [name for name in loss.names(rows) if name not in names]
    with st.container(horizontal=True, gap="small"):
        chosen = st.pills("Mechanisms", names, selection_mode="multi", default=names, key="mechanisms",
                          label_visibility="collapsed")  # fmt: skip
        if controls:
            chosen += st.pills("Controls", controls, selection_mode="multi", key="loss controls",
                               label_visibility="collapsed", help=loss.CONTROLS_HELP)  # fmt: skip
    return chosen


def pick_text() -> str | None:
    """The recorded run to look at, out of those with a reset control; None where there is none."""
    names = session.scored_runs()
    if not names:
        st.info(plain("There is no recorded run of a language model with its reset control yet; record a text below."))
        return None
    session.begin("loss text", names[-1] if names[-1] in session.own_runs() else names[0], names)
    return st.selectbox("Text", names, format_func=_title, key="loss text")


def _title(name: str) -> str:
    trace = session.library().open(name).trace
    begin = "".join(trace.token_texts(0, min(16, len(trace.arrays["ids"])))).split()
    model = trace.meta["made_by"]["checkpoint"]
    return f"“{' '.join(begin)[:60]} …”, {trace.n_segments} segments, {model}"


def own_text() -> str | None:
    """The form that reads a text with memory and with memory reset. Returns the id of a run that has just ended."""
    with st.expander("Your own text, or your own checkpoint", expanded=not session.scored_runs()):
        models = session.language_models()
        with st.form("pair form", border=False):
            left, right = st.columns(2)
            name = left.selectbox("Language model", [*models, OWN], key="pair model")
            folder = right.text_input("Its folder or name", max_chars=LONGEST_NAME, key="pair folder",
                                      placeholder="runs/mine, or owner/name")  # fmt: skip
            text = st.text_area("Text, of two segments or more", TEXT, height=150, key="pair text")
            length = st.number_input("Tokens a segment", 8, 4096, None, key="pair length",
                                     placeholder="as in its config.json")  # fmt: skip
            if st.form_submit_button("Read it with memory, and without", type="primary"):
                _start(name, folder.strip(), text, length)
        follow("pair", step="Segment {done:,} of {total:,}, with memory and without")
    return session.take_finished("pair")


def _start(name: str, folder: str, text: str, length: int | None) -> None:
    try:
        if name == OWN and not folder:
            raise InputError("Give the folder of your checkpoint, or its name on the hub.")
        own = CheckpointChoice(folder, segment_length=length)
        requests.start_pair(own if name == OWN else CheckpointChoice(name, session.CHECKPOINTS / name, length), text)
    except InputError as error:
        say(str(error))
