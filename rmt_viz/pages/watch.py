"""Watch: what happens in this segment?"""

from rmt_viz.components import surface
from rmt_viz.controls import pick_run


def page() -> None:
    """The stepping surface over the run that the sidebar names."""
    picked = pick_run()
    if picked is not None:
        surface.show(*picked)
