"""The widget of a run in a notebook, whose selection Python reads, sets and observes."""

from collections.abc import Mapping

from rmt.errors import InputError
from rmt.trace import Trace


def widget(trace: Trace, model=None, *, page: str = "watch", controls: Mapping[str, Trace] | None = None):
    """Make the widget of a run for a notebook's output, a `RunWidget`; the kernel feeds it, so it needs no server.

    model: that made the run, for whole maps, slots as words and `whole_map`. page: watch, attention or memory.
    controls: "reset" and "untrained", the same text, for its gain and the people's rows. Raises InputError where
    anywidget is not installed.
    """
    try:
        from rmt.notebook.run_widget import RunWidget
    except ImportError as error:
        if error.name not in ("anywidget", "traitlets"):
            raise
        raise InputError(
            "The widget needs anywidget: pip install 'rmt-viz[notebook]'. rmt.show needs nothing."
        ) from None
    return RunWidget(trace, model, page=page, controls=controls)
