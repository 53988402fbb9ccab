"""Train: how does it learn to remember?"""

import streamlit as st

from rmt.errors import InputError
from rmt.tasks import TASKS, title
from rmt_viz import session
from rmt_viz.figures.train import curves
from rmt_viz.findings import train
from rmt_viz.forms import train as form
from rmt_viz.pages import watch
from rmt_viz.widgets import chart
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.markdown import plain

BY = {"step": "Steps", "seconds": "Seconds", "tokens": "Tokens"}


def page() -> None:
    """The training curves of a shipped model, one text read over its training, and a form for a small run."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader("How does it learn to remember?", anchor=False)
        st.caption(
            "By a curriculum: first one segment, then two, and so on. Each stage begins where the last one ends."
        )
    with st.container(gap="medium"):
        form.recorded(watch.listed())
        _shipped()
        _own()


def _shipped() -> None:
    configs = {name: config for name, config in session.checkpoints().items() if config.get("task") in TASKS}
    if not configs:
        return say("There is no checkpoint in assets/checkpoints; train one below.")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium", key="choices"):
        name = st.segmented_control("Model", configs, format_func=lambda n: plain(title(n)), key="model",
                                    default=next(iter(configs)), required=True, bind="query-params")  # fmt: skip
        by = st.segmented_control("Along", BY, format_func=BY.get, key="by", default="step", required=True,
                                  bind="query-params")  # fmt: skip
        whole = st.toggle("With the streams at its end", key="streams", bind="query-params")
    try:
        lines = train.read(session.CHECKPOINTS / name / "metrics.jsonl")
        _curves(lines if whole else train.curriculum(lines), name, by, _began(configs[name]))
    except InputError as error:
        say(str(error))
    form.reread(name)
    form.readings(f"growth {name}", name, watch.listed())


def _own() -> None:
    form.small_run()
    log = form.log_of("train")
    if log and log.lines:
        _curves(list(log.lines), "yours", "step", "Live. From scratch.")
        form.readings("train", "yours", watch.listed())


def _curves(lines: list[dict], name: str, by: str, caption: str) -> None:
    finding = train.finding(lines)
    streams = " Dotted: on streams." if "stream_loss" in lines[-1] else ""
    chart.show(
        curves(lines, finding, by=by, theme=chart.theme()),
        name=f"training-{name}",
        alt=f"Loss and accuracy of {name} in training, by stage of the curriculum. {finding}.",
        table=train.table(lines),
        caption=f"{caption} Background and number: the stage, by its segments.{streams}",
    )


def _began(config: dict) -> str:
    begun = (config.get("training") or {}).get("init")
    return f"Recorded. It began with the weights of {begun.rsplit('/', 1)[-1]}." if begun else "Recorded. From scratch."
