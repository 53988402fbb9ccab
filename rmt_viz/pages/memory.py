"""Memory: what is in it, and how does it move?"""

from rmt_viz.components import surface
from rmt_viz.forms.pick_run import pick_run


def page() -> None:
    """The slots of the run chosen in the sidebar: where they are, how they moved, and what changed with them."""
    picked = pick_run()
    if picked is not None:
        surface.show(*picked, page="memory")
