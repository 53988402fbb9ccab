"""Attention: what does each head do?"""

from rmt_viz.components import surface
from rmt_viz.forms.pick_run import pick_run
from rmt_viz.widgets import links


def page() -> None:
    """Whole attention maps of the run chosen in the sidebar, replayed from its stored memory."""
    picked = pick_run()
    if picked is not None:
        surface.show(*picked, page="attention")
        _, name, control = picked
        links.to_view("why", "Attention shows where it looks; the path of its cause, what the answer depends on",
                      trace=name, control=None if control == "trained" else control)  # fmt: skip
