"""Forms of Models: choose a checkpoint, add what its files do not say, record a text, upload a trace."""

from dataclasses import dataclass, fields, replace

import streamlit as st

from rmt.errors import InputError
from rmt.tasks import title
from rmt_viz import requests, session
from rmt_viz.shelf import checkpoints, example_texts
from rmt_viz.widgets.errors import say, saying
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import follow
from rmt_viz.widgets.text_file import MOST_MB, typed_or_uploaded
from rmt_viz.work import visitors_checkpoint
from rmt_viz.work.visitors_checkpoint import CheckpointChoice

LONGEST_NAME = 200
FRESH = 10  # slots of an untrained memory, as `rmt.checkpoint.adapter.wrap` has them


@dataclass(frozen=True)
class Need:
    """A setting that a checkpoint's files may lack: its field or option name, and its label."""

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
    Need("add_write_to_next_write_mem", "Made with add_write_to_next_write_mem", ("no", "yes")),
    Need("always_have_read_memories", "Made with always_have_read_memories", ("yes", "no")),
    Need("own_state", "With its own state in place of memory tokens", ("yes", "no")),
)


def choose() -> None:
    """The form for a checkpoint: a button for each shipped one, then a field for a folder or a hub name."""
    with st.container(border=True, gap="small"):
        st.markdown("**A model that ships**")
        with st.container(horizontal=True, gap="small"):
            for name, config in session.checkpoints().items():
                line = plain(checkpoints.about(session.CHECKPOINTS / name, config))
                label = plain(title(name)) + (", not here" if checkpoints.lacks(config) else "")
                if st.button(label, key=f"shipped {name}", help=line or None):
                    with saying():
                        requests.start_look(CheckpointChoice(name, session.CHECKPOINTS / name))
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
                requests.start_look(CheckpointChoice(name.strip()))


def shipped() -> None:
    """A list of the shipped models, a line on each."""
    lines = {name: checkpoints.about(session.CHECKPOINTS / name, of) for name, of in session.checkpoints().items()}
    st.markdown("**What ships**")
    st.markdown("\n".join(f"- **{plain(title(name))}**: {plain(line)}" for name, line in lines.items() if line))


def upload() -> bool:
    """The form for a recorded run in a file. Returns whether a trace was just added, which Watch then shows."""
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


def missing(refusal: str) -> list[str]:
    """The settings that a refusal names, as in "say own_state=yes"."""
    return [need.name for need in NEEDS if f"{need.name}=" in refusal]


def tell(wanted: CheckpointChoice, asks: list[str]) -> None:
    """Fields for the settings that a report asks for, and for those that the visitor has given already."""
    values = {**{field.name: getattr(wanted, field.name) for field in fields(wanted)}, **dict(wanted.options)}
    needs = [need for need in NEEDS if values.get(need.name) or need.name in asks]
    if not needs:
        return
    with st.form("missing"):
        st.markdown("**What no file says**")
        for need in needs:
            values[need.name] = _field(need, wanted.name, values.get(need.name))
        if st.form_submit_button("Look again", type="primary"):
            known = {f.name for f in fields(CheckpointChoice)}
            options = tuple((n.name, values[n.name]) for n in needs if n.name not in known and values[n.name])
            given = {n.name: values[n.name] or None for n in needs if n.name in known}
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


def record(wanted: CheckpointChoice, report) -> bool:
    """The form that records a text. Returns whether a run has just ended, which Watch then shows."""
    with st.container(border=True, gap="small"):
        st.markdown("**Record your own text**")
        config = session.checkpoints().get(wanted.name, {}) if wanted.shipped else {}
        text = st.text_area(
            "Text" if report.tokenizer else "Token ids",
            example_texts.example(config.get("task"), config.get("segment_length", 0)) if report.tokenizer else "",
            height=150,
            key=f"text for {wanted.name}",
            help=plain(example_texts.hint(config.get("task"))) or None,
        )
        fresh, special = _fresh(wanted, report), _special(wanted, report)
        with saying():
            text = typed_or_uploaded(text, f"file for {wanted.name}")
            if st.button("Record", type="primary", key="record"):
                if wanted.shipped:
                    requests.start_run(text, wanted.name, config["segment_length"])
                else:
                    detail = report.details[-1] if report.details else "thin"
                    made = replace(wanted, fresh=fresh, detail=detail, options=(*wanted.options, *special))
                    requests.start_own_run(made, text, report.tokenizer)
        follow("run")
    return session.take_finished_run()


def _fresh(wanted: CheckpointChoice, report) -> int:
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


def _special(wanted: CheckpointChoice, report) -> tuple[tuple[str, str], ...]:
    """What to add to the options where a text is read without its special tokens."""
    if not report.around or not report.tokenizer or wanted.shipped:
        return ()
    on = st.toggle(
        plain(f"The text {report.around}"),
        True,
        key=f"special tokens of {wanted.name}",
        help="As the model’s tokenizer has it, and as most models saw texts in training. Off, your text stands alone.",
    )
    return () if on else (("special_tokens", "no"),)
