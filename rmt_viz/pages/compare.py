"""Compare: how do two runs differ?"""

from rmt_viz.components import surface
from rmt_viz.forms.pick_run import pick_beside, pick_run


def page() -> None:
    """The run chosen in the sidebar beside a second one, on the same segment and the same scales."""
    picked = pick_run()
    other = picked and pick_beside(picked[0])
    if other:
        run, name, control = picked
        surface.show(run, name, control, page="compare", beside=other[:2], names=other[2])
