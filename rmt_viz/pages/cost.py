"""Cost: what does it cost, beside full attention?"""

import streamlit as st

from rmt.cost import OPT, Convention, Sizes
from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.figures import cost as figures
from rmt_viz.findings import cost
from rmt_viz.forms import cost as form
from rmt_viz.widgets import chart
from rmt_viz.widgets.markdown import plain


def page() -> None:
    """Operations counted by formula, under a convention that the visitor chooses; below them the measurements."""
    with st.container(key="title", gap="xxsmall"):
        st.subheader("What does it cost?", anchor=False)
        st.caption("Full attention compares each token with every other; RMT compares those of a segment. Count them.")
    with st.container(gap="small"):
        sizes, convention, tokens, segment, log = form.choose()
        left, right = st.columns([2, 3], gap="medium")
        with left:
            finding = cost.headline(sizes, convention, tokens, segment)
            at, methods = cost.curves(sizes, convention, tokens, segment)
            figure = figures.operations(at, methods, finding, log=log, theme=chart.theme())
            chart.show(figure, name="operations", alt=f"Operations against length. {finding}.",
                        table={"tokens": at, **methods}, caption="Counted by formula, one forward pass.")  # fmt: skip
        with right:
            _conventions(sizes, convention, tokens, segment)
        _measured(log)


def _conventions(sizes: Sizes, convention: Convention, tokens: int, segment: int) -> None:
    ways = cost.counts(convention, tokens)
    chosen = next(i for i, count in enumerate(ways) if cost.same(count, convention, tokens))
    models = [*OPT.values(), *([] if sizes.name in OPT else [sizes])]
    finding = cost.agreement(ways, segment)
    figure = figures.conventions(ways, models, finding, segment=segment, chosen=chosen, theme=chart.theme())
    chart.show(figure, name="conventions", alt=f"The ratio under each convention. {finding}.",
                table=cost.table(ways, models, segment),
                caption=f"{cost.LENGTH:,} tokens unless a row says otherwise. Thick: chosen above. Bold: "
                "inferred to be the paper’s own, from the match.")  # fmt: skip


def _measured(log: bool) -> None:
    try:
        result = session.result("cost")
    except InputError as error:
        st.info(plain(str(error)))
        return
    by_method = cost.methods(result.rows)
    command = cost.measured_on(result)
    captions = {
        "seconds": (cost.time_grows(by_method), command),
        "peak_bytes": (cost.memory_grows(by_method), cost.PAPER_MEMORY),
    }
    for column, (field, (finding, caption)) in zip(st.columns(2, gap="medium"), captions.items(), strict=True):
        with column:
            missing = cost.missing(result)
            figure = figures.measured(by_method, field, finding, missing=missing, log=log, theme=chart.theme())
            chart.show(figure, name=f"measured-{field.replace('_', '-')}", alt=f"Measured, by length. {finding}.",
                        table=cost.measured_table(by_method), caption=caption)  # fmt: skip
