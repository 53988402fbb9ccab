"""Attention: what does each head do?"""

from rmt_viz.components import surface
from rmt_viz.forms.pick_run import pick_run


def page() -> None:
    """Whole maps of the run that the sidebar names, replayed from the stored memory."""
    picked = pick_run()
    if picked is not None:
        surface.show(*picked, page="attention")
