"""Attention: what does each head do?"""

from rmt_viz.components import surface
from rmt_viz.forms.pick_run import pick_run


def page() -> None:
    """Whole attention maps of the run chosen in the sidebar, replayed from its stored memory."""
    picked = pick_run()
    if picked is not None:
        surface.show(*picked, page="attention")
