"""Parts of Mechanisms: three experiments on trained mechanisms, texts longer than trained on, and the claims."""

import streamlit as st

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.figures import glance as glances
from rmt_viz.figures import recall as figures
from rmt_viz.findings import claims, glance, recall
from rmt_viz.widgets import chart
from rmt_viz.widgets.markdown import plain


def experiments(chosen: str) -> None:
    """What a mechanism gives back beside RMT and the rest of its family, then what is said of all of them."""
    results = {}
    for name in ("recall", "stretched"):
        try:
            results[name] = session.result(name)
        except InputError as error:
            st.info(plain(str(error)))
    rows = results["recall"].rows if "recall" in results else ()
    stretched = results["stretched"].rows if "stretched" in results else ()
    left, right = st.columns(2, gap="medium")
    chosen = recall.standing(recall.lines(rows, recall.FACTS), chosen)
    if rows:
        numbers = recall.sizes(rows)
        st.caption(plain(recall.trained(results["recall"])))
        with left:
            _glance(rows, chosen)
        with right:
            _lines(rows, chosen, recall.QUOTATION, recall.quotation, "tokens of the quotation")
            _weighed(rows, chosen, numbers)
            _lines(rows, chosen, recall.FAR, recall.far, "segments later")
    if stretched:
        with left:
            _stretched(results["stretched"])
    if rows or stretched:
        _claims(claims.Seen(rows, stretched), chosen)


def _glance(rows, chosen: str) -> None:
    table, heads = glance.rows(rows), glance.heads(rows)
    finding = glance.finding(table)
    figure = glances.glance(table, heads, ("rmt", chosen), finding, theme=chart.theme())
    chart.show(figure, name="given-back", alt=f"What each mechanism gives back. {finding}.",
                table=glance.columns(rows), caption=glance.NOTE)  # fmt: skip


def _lines(rows, chosen: str, experiment: str, told, x: str) -> None:
    given, reset = recall.lines(rows, experiment), recall.lines(rows, experiment, "reset")
    kinds = recall.shown(given, chosen)
    finding = told(given, reset, chosen)
    chart.show(figures.right(given, reset, kinds, finding, x=x, theme=chart.theme()), name=experiment,
                alt=f"Right answers against {x}. {finding}.", table=recall.line_table(given, reset, list(given), x),
                caption=recall.BANDS)  # fmt: skip


def _weighed(rows, chosen: str, numbers: dict[str, int]) -> None:
    given, reset = recall.lines(rows, recall.FACTS), recall.lines(rows, recall.FACTS, "reset")
    finding = recall.facts(given, reset, numbers)
    named = dict.fromkeys((*recall.shown(given, chosen), *recall.better(given, numbers)[:1]))
    figure = figures.weighed(given, numbers, list(named), finding, theme=chart.theme())
    chart.show(figure, name="facts", alt=f"Facts given back against the numbers carried. {finding}.",
                table=recall.line_table(given, reset, list(given), "facts told"), caption=recall.SCATTER)  # fmt: skip


def _stretched(results) -> None:
    finding = recall.stretched(results.rows)
    chart.show(figures.stretched(results.rows, finding, theme=chart.theme()), name="stretched",
                alt=f"Loss on windows longer than trained on. {finding}.", table=recall.stretched_table(results.rows),
                caption=recall.tuned(results))  # fmt: skip


def _claims(seen: claims.Seen, chosen: str) -> None:
    st.markdown(f"**{plain(claims.finding(seen))}**")
    st.caption(plain(claims.commands(claims.CLAIMS)))
    if family := claims.of_family(chosen):
        _table(claims.table(seen, family), f"Claims about mechanisms of this family. {claims.finding(seen)}.")
    with st.expander(f"All {len(claims.CLAIMS)} claims"):
        _table(claims.table(seen), f"Claims about mechanisms. {claims.finding(seen)}.")


def _table(told: dict[str, list[str]], alt: str) -> None:
    columns = {head: list(map(plain, cells)) for head, cells in told.items()}
    st.table(columns, border="horizontal", hide_index=True, alt=alt)
