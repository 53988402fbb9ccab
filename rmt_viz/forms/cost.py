"""Form of Cost: the model's sizes, and what is counted."""

import streamlit as st

from rmt.cost import OPT, SEGMENT, Convention, Sizes
from rmt_viz.findings import cost


def choose() -> tuple[Sizes, Convention, int, int, bool]:
    """The chosen sizes, convention, length (tokens), tokens a segment, and whether axes are logarithmic."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.selectbox("Model", [*OPT, cost.TYPED], key="model", width=170, bind="query-params")
        at = st.selectbox("Length (tokens)", list(cost.LENGTHS)[::-1], key="tokens", width=230, bind="query-params")
        memory = st.segmented_control("Memory tokens", list(cost.MEMORY), key="memory", default="none", required=True,
                                      bind="query-params")  # fmt: skip
        segment = st.number_input("Segment", 16, 65_536, SEGMENT, key="segment_length", width=120, bind="query-params")
        log = st.toggle("Log axes", True, key="log", bind="query-params")
    with st.container(horizontal=True, gap="medium"):
        st.markdown("**Counted:**")
        embedding = st.toggle("embedding lookup", False, key="embedding", bind="query-params")
        head = st.toggle("output head", True, key="head", bind="query-params")
        softmax = st.toggle("softmax", True, key="softmax", bind="query-params")
        causal = st.toggle("causal half only", False, key="causal", bind="query-params")
    sizes = OPT[name] if name in OPT else _typed()
    read, write = cost.MEMORY[memory]
    return sizes, Convention("", embedding, head, softmax, causal, read, write), cost.LENGTHS[at], segment, log


def _typed() -> Sizes:
    labels = {"Layers": 12, "Width": 768, "Heads": 12, "Feed-forward width": 3072, "Vocabulary": 50_257}
    with st.container(horizontal=True, gap="small"):
        values = [st.number_input(label, 1, 1_000_000, n, key=f"typed {label}") for label, n in labels.items()]
    return Sizes("Your model", *values)
