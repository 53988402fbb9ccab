"""Widgets for a visitor's own checkpoint: choose it, tell what its files do not, record a text, upload a trace."""

from dataclasses import dataclass, fields, replace

import streamlit as st

from rmt.errors import InputError
from rmt.tasks import title
from rmt_viz import requests, session
from rmt_viz.shelf import example_texts
from rmt_viz.widgets.errors import say, saying
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import follow
from rmt_viz.work import visitors_checkpoint
from rmt_viz.work.visitors_checkpoint import Wanted

LONGEST_NAME = 200
FRESH = 10  # slots of an untrained memory, as `rmt.checkpoint.adapter.wrap` has them
MOST_MB = 50


@dataclass(frozen=True)
class Need:
    """What no file may hold: the field of Wanted or the option, as a report asks for it, and its label."""

    name: str
    label: str
    choices: tuple[str, ...] = ()
    number: bool = True


NEEDS = (
    Need("segment_length", "Tokens a segment"),
    Need("backbone", "Backbone: a folder with config.json, or a name such as gpt2", number=False),
    Need("n_memory", "Memory tokens written"),
    Need("retrieve", "How past memory is retrieved", ("attention", "top_1")),
    Need("lora_alpha", "LoRA’s alpha"),
)


def choose() -> None:
    """Shipped models, each a click; then a name."""
    with st.container(border=True, gap="small"):
        st.markdown("**A model that ships**")
        with st.container(horizontal=True, gap="small"):
            for name in session.checkpoints():
                if st.button(plain(title(name)), key=f"shipped {name}"):
                    with saying():
                        requests.start_look(Wanted(name, session.CHECKPOINTS / name))
    with st.container(border=True, gap="small"), st.form("own model", border=False, enter_to_submit=True):
        st.markdown("**Your checkpoint**")
        name = st.text_input(
            "Folder, or hub name",
            max_chars=LONGEST_NAME,
            key="own name",
            placeholder="runs/mine, or owner/name",
            help=plain(f"Folders lie under {visitors_checkpoint.ROOT.name}. A name of the hub is downloaded from it."),
        )
        if st.form_submit_button("Look at it", type="primary"):
            with saying():
                if not name.strip():
                    raise InputError("Give the folder of a checkpoint, or its name on the hub.")
                requests.start_look(Wanted(name.strip()))


def upload() -> bool:
    """A recorded run from elsewhere. Returns whether it has just been taken in: it is the one that Watch shows."""
    with st.container(border=True, gap="small"):
        st.markdown("**A recorded run**")
        label = "A trace, as python -m rmt record makes one"
        file = st.file_uploader(label, type="safetensors", max_upload_size=MOST_MB, key="upload")
        if file is None:
            return False
        taken = session.take_upload(file)
        if session.refusal():
            say(session.refusal())
    return taken


def tell(wanted: Wanted, asks: list[str]) -> None:
    """Fields for what a report asks for, and for what the visitor has told already."""
    told = {**{field.name: getattr(wanted, field.name) for field in fields(wanted)}, **dict(wanted.options)}
    needs = [need for need in NEEDS if told.get(need.name) or need.name in asks]
    if not needs:
        return
    with st.form("missing"):
        st.markdown("**Tell what no file says**")
        for need in needs:
            told[need.name] = _field(need, wanted.name, told.get(need.name))
        if st.form_submit_button("Look again", type="primary"):
            known = {f.name for f in fields(Wanted)}
            options = tuple((n.name, told[n.name]) for n in needs if n.name not in known and told[n.name])
            given = {n.name: told[n.name] or None for n in needs if n.name in known}
            with saying():
                requests.start_look(replace(wanted, **given, options=options))
                st.rerun()


def _field(need: Need, name: str, value):
    key = f"{need.name} of {name}"
    if need.choices:
        return st.selectbox(need.label, need.choices, need.choices.index(value) if value else 0, key=key)
    if need.number:
        return st.number_input(need.label, 1, 1_000_000, value, key=key, placeholder="as it was in training")
    return st.text_input(need.label, value or "", max_chars=LONGEST_NAME, key=key).strip()


def record(wanted: Wanted, report) -> bool:
    """A text, and its run in the background. Returns whether a run has just ended: it is the one that Watch shows."""
    with st.container(border=True, gap="small"):
        st.markdown("**Record your own text**")
        config = session.checkpoints().get(wanted.name, {}) if wanted.shipped else {}
        text = st.text_area(
            "Text" if report.tokenizer else "Token ids",
            example_texts.example(config.get("task")) if report.tokenizer else "",
            height=150,
            key=f"text for {wanted.name}",
            help=plain(example_texts.hint(config.get("task"))) or None,
        )
        fresh = _fresh(wanted, report)
        if st.button("Record", type="primary", key="record"):
            try:
                if wanted.shipped:
                    requests.start_run(text, wanted.name, config["segment_length"])
                else:
                    made = replace(wanted, fresh=fresh, detail=report.details[-1] if report.details else "thin")
                    requests.start_own_run(made, text, report.tokenizer)
            except InputError as error:
                say(str(error))
        follow("run")
    return session.take_finished_run()


def _fresh(wanted: Wanted, report) -> int:
    if report.cell != "none" or wanted.shipped or not report.wraps:
        return 0
    return st.number_input(
        "Untrained memory tokens",
        0,
        64,
        FRESH,
        key=f"fresh for {wanted.name}",
        help="This model has no memory. With one around it that was never trained you see what there is to be trained.",
    )
