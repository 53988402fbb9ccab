"""The script behind every page: the menu on top, then the page itself.

It stands beside app.py because Streamlit takes a pages/ folder next to its script for pages of the old kind.
"""

import streamlit as st

from rmt.viewer import bundle
from rmt_viz.components import HERE
from rmt_viz.pages import (
    attention,
    capacity,
    compare,
    cost,
    experiment,
    facts,
    gallery,
    length,
    loss,
    mechanisms,
    memory,
    models,
    tour,
    train,
    watch,
    what_if,
    why,
)
from rmt_viz.shelf import menu

MODULES = {
    "watch": watch,
    "tour": tour,
    "attention": attention,
    "memory": memory,
    "gallery": gallery,
    "compare": compare,
    "facts": facts,
    "what-if": what_if,
    "why": why,
    "loss": loss,
    "capacity": capacity,
    "length": length,
    "cost": cost,
    "mechanisms": mechanisms,
    "models": models,
    "train": train,
}
STYLES = (HERE / "frame.css", bundle.HERE / "facts.css")

first = experiment.listed()
listed = {path: st.Page(module.page, title=menu.ALL[path].label, url_path=path) for path, module in MODULES.items()}
places = {menu.FIRST.path: first} | {old: listed[new] for old, new in menu.MOVED.items()}


def _moved() -> None:
    st.switch_page(places[page.url_path], query_params=dict(st.query_params))


moved = [st.Page(_moved, title=old, url_path=old, visibility="hidden") for old in places]
sections = {section: [listed[entry.path] for entry in entries] for section, entries in menu.SECTIONS.items()}
page = st.navigation({"": [first, *moved], **sections}, position="top")
name = menu.ALL[page.url_path or menu.FIRST.path].name if page not in moved else "RMT Viz"
st.set_page_config(page_title=f"{name} · RMT Viz", page_icon="🧠", layout="wide", initial_sidebar_state="auto")
for style in STYLES:
    st.html(style)
for i, entries in enumerate(menu.SECTIONS.values()):
    if menu.ALL.get(page.url_path) in entries:  # Streamlit marks the page, not its section
        st.html(f"<style>[data-testid=stTopNav] > :nth-child({i + 2}) p {{ font-weight: 650; }}</style>")
page.run()
