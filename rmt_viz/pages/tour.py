"""Tour: how does it work? An essay in live pictures."""

from rmt_viz.components import tour


def page() -> None:
    """The essay, at the step that the address names."""
    tour.show()
