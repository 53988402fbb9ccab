"""Models: can I see mine?"""

import json

import streamlit as st

from rmt_viz import session
from rmt_viz.components import report as card
from rmt_viz.forms import models
from rmt_viz.pages import watch
from rmt_viz.shelf import menu
from rmt_viz.widgets.errors import say
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import follow

OPENS = """
**What can be looked at**

- **folders of this program**, as `python -m rmt train` leaves them, and memory kept beside a pretrained backbone
- **recurrent memory of other programs**: RMT around a decoder, with or without LoRA, RMT around BERT, RMT-R, ARMT, and
  RMT of the package `recurrent-memory-transformer-pytorch`, as safetensors or as `.bin`, `.pt` and `.pth`
- **transformers models** without memory, in a folder or on the hub; recurrent nets (RWKV, Mamba, RecurrentGemma) with
  their own state in its place; `smollm2` and `minilm` where their packages are installed

You get a report in sentences: what it is, what was inferred, and what is missing to run it. Nothing in a file is ever
run, and weights are opened as numbers only. From the report, one click records a text and opens the run in Watch.
"""


def page() -> None:
    """The forms for a checkpoint on the left; its report and the recording on the right."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader(menu.ALL["models"].question, anchor=False)
        st.caption("Choose a checkpoint, read what it is, record a text with it, and step through the run.")
    left, right = st.columns([1, 2.1], gap="medium")
    with left:
        models.choose()
        done = models.upload()
    with right:
        done = _right() or done
    if done:
        st.switch_page(watch.listed())


def _right() -> bool:
    job = session.current("look")
    if job is None:
        with st.container(border=True):
            st.markdown(OPENS)
            models.shipped()
    elif job.live:
        follow("look", f"Looking at {plain(job.about.name)}")
    elif job.state == "done":
        return _found(job.about, job.result)
    else:
        say(job.error)
        models.tell(job.about, models.missing(job.error))
    return False


def _found(wanted, report) -> bool:
    card.show(report)
    models.tell(wanted, report.asks)
    done = models.record(wanted, report) if report.ready or report.details else False
    st.download_button(
        "Report as JSON",
        json.dumps(report.as_dict(), indent=1),
        "report.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )
    return done
