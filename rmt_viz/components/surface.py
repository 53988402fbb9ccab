"""Component: the stepping surface of Watch, Attention, Memory, Compare and What if."""

import streamlit as st

from rmt.viewer import bundle, keys, slices
from rmt_viz import session
from rmt_viz.components import HERE
from rmt_viz.server import address
from rmt_viz.server.routes import PREFIX
from rmt_viz.shelf.library import Run

BEGIN = {"attention": {"how": "mean"}, "compare": {"show": "watch"}}  # how a page begins, beside its segment
_SURFACE = st.components.v2.component(
    "rmt_surface",
    html='<div class="surface"></div>\n<!-- drawn by surface.js -->',
    css=bundle.style(),
    js=bundle.script(*bundle.MODULES, "source.js", HERE / "streamlit.js"),
)


def limits(run: Run, page: str = "watch") -> dict:
    """The address fields that the surface keeps on a page, with the values that each may take.

    A number is the largest value of a field that counts from 1; a list holds the allowed words.
    """
    made, done = run.trace.meta["made_by"], run.trace.done
    own = {
        "attention": {"how": ["mean", "max"], "beside": done},
        "memory": {"range": done},
        "compare": {"range": done, "show": ["watch", "memory", "loss"]},
    }
    who = [one.name for one in run.measures.followed]
    return {
        **({"who": who} if who else {}),
        "segment": done,
        "layer": made["layers"],
        "head": made["heads"],
        "slot": run.trace.arrays["memory"].shape[1],
        "colour": colours(run),
        **own.get(page, {}),
    }


def defaults(run: Run) -> dict:
    """The view with which a visitor begins: segment, colour and the rest."""
    return slices.opening(run, colours(run))


def colours(run: Run) -> list[str]:
    """The quantities by which the tokens of this run can be coloured."""
    return slices.colours(run, session.reset_of(run.id))


def _beside(run: Run, other: Run, names: tuple[str, str] | None) -> dict:
    return {"run": other.id, "names": names, "over": max(run.trace.done, other.trace.done)}


def _answers(runs: tuple[Run, Run]) -> list[dict]:
    """Of each run its answers about each that can be asked for, at every moment."""
    return [{one.name: one.answer.tolist() for one in run.measures.followed} for run in runs]


def show(
    run: Run,
    name: str,
    control: str,
    *,
    page: str = "watch",
    beside: tuple[Run, str | None] | None = None,
    names: tuple[str, str] | None = None,
    also: dict[str, str | None] | None = None,
    reset: tuple[Run, Run] | None = None,
    begin_at: int | None = None,
) -> None:
    """Draw the surface with the view that the address asks for; stepping in it never runs the page script again.

    name, control: the sidebar's choices, which the address keeps. page: the page whose cards are shown. beside: a
    second run, and its value in the address or None. names: titles over the two runs. also: more fields of the address.
    reset: the two runs with memory reset, the control of the answers about each person. begin_at: the
    segment (from 1) where the view begins unless the address names one.
    """
    begin = {**defaults(run), **BEGIN.get(page, {})}
    allowed = limits(run, page)
    if beside:
        allowed["segment"] = max(run.trace.done, beside[0].trace.done)
    wanted = address.read(st.query_params, allowed, begin)
    first = session.library().names()[:1]
    fixed = {"trace": None if [name] == first else name, "control": None if control == "trained" else control}
    fixed |= {"with": beside[1] if beside else None, **(also or {})}
    prefix = st.get_option("server.baseUrlPath").strip("/")
    _SURFACE(
        key="surface",
        data={
            "base": f"/{prefix}{PREFIX}" if prefix else PREFIX,
            "run": run.id,
            "name": name,
            "fixed": {key: value for key, value in fixed.items() if value},
            "page": page,
            "first": begin_at,
            "reset": _answers(reset) if reset else None,
            "beside": _beside(run, beside[0], names) if beside else None,
            "fields": list(limits(run, page)),
            "view": wanted,
            "defaults": begin,
            "colours": colours(run),
            "keys": keys.table(),
        },
    )
