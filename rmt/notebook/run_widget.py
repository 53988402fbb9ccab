"""The widget: the stepping surface in a notebook, fed by the kernel, with the selection as Python attributes."""

from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

import anywidget
import numpy as np
import traitlets

from rmt.errors import InputError
from rmt.recorder import replay
from rmt.trace import SegmentRecord, Trace
from rmt.viewer import attention_slices, bundle, keys, memory_slices, slices
from rmt.viewer.slices import Run

PAGES = ("watch", "attention", "memory")
NO_MODEL = "There is no model to replay this run with; give it: rmt.widget(trace, model)."
KEPT = 16  # replayed segments


class RunWidget(anywidget.AnyWidget):
    """The surface of one run. segment, layer, head and slot count from 0, as Python does; None: no choice.

    Each can be read, set and observed (`widget.observe(f, "segment")`); what is chosen on the screen arrives here, and
    what is set here moves the screen.
    """

    _esm = bundle.script(*bundle.MODULES, "source.js", "widget.js")
    _css = bundle.read("facts.css") + bundle.style() + bundle.read("widget.css")
    _options = traitlets.Dict().tag(sync=True)
    segment = traitlets.Int(0).tag(sync=True)
    layer = traitlets.Int(None, allow_none=True).tag(sync=True)
    head = traitlets.Int(None, allow_none=True).tag(sync=True)
    slot = traitlets.Int(None, allow_none=True).tag(sync=True)

    def __init__(self, trace: Trace, model=None, *, page: str = "watch", controls: Mapping[str, Trace] | None = None):
        if page not in PAGES:
            raise InputError(f"There is no page {page!r} of a run; choose {', '.join(PAGES)}.")
        if not trace.done:
            raise InputError(f"{trace.path.name} holds no whole segment yet; go on recording it.")
        trace.check_text()
        self.trace, self.model = trace, model
        self.run = Run(trace.path.name.split(".")[0], trace, "recorded")
        self._controls = {name: Run(name, control, "recorded") for name, control in (controls or {}).items()}
        self._replays: dict[int, SegmentRecord] = {}
        made = trace.meta["made_by"]
        self._counts = {"segment": trace.done, "layer": made["layers"], "head": made["heads"]}
        self._counts["slot"] = trace.arrays["memory"].shape[1]
        colours = slices.colours(self.run, self._controls.get("reset"))
        opening = slices.opening(self.run, colours)
        first = opening.pop("segment") - 1
        begin = {"how": "mean"} if page == "attention" else {}
        options = {"view": {**begin, **opening}, "colours": colours, "keys": keys.table(), "page": page}
        if "read" not in trace.arrays:
            options["heads"] = False
        super().__init__(_options=options, segment=first)
        self.on_msg(self._answer)

    @traitlets.validate("segment", "layer", "head", "slot")
    def _in_range(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        if value is not None and not 0 <= value < self._counts[name]:
            raise InputError(f"There is no {name} {value} in this run; it has {self._counts[name]}, counted from 0.")
        return value

    @property
    def record(self) -> SegmentRecord:
        """The record of the selected segment."""
        return self.trace.segments[self.segment]

    def whole_map(self) -> np.ndarray:
        """The attention maps of the selected segment, replayed by the model from its stored memory.

        (L, H, N, N), less the axes of a layer and a head that are selected. Raises InputError where there is no model,
        or another one than that which made the run.
        """
        attention = self._replayed(self.segment).attention
        attention = attention if self.layer is None else attention[self.layer]
        return attention if self.head is None else attention[..., self.head, :, :]

    def _replayed(self, segment: int) -> SegmentRecord:
        if self.model is None:
            raise InputError(NO_MODEL)
        if segment not in self._replays:
            if len(self._replays) >= KEPT:
                del self._replays[next(iter(self._replays))]
            self._replays[segment] = replay(self.model, self.trace, segment)
        return self._replays[segment]

    def _answer(self, _, content, buffers) -> None:
        """Answer a message of the surface that asks for a slice."""
        if not isinstance(content, dict) or not isinstance(content.get("ask"), str):
            return
        try:
            data = self._slice(content["ask"])
        except InputError as error:
            return self.send({"number": content.get("number"), "error": str(error)})
        except (ValueError, IndexError, KeyError, TypeError):
            return self.send({"number": content.get("number"), "error": "There is no such part of this run."})
        self.send({"number": content.get("number")}, [data])

    def _slice(self, path: str) -> bytes:
        """The slice that the surface names by a path, as a server names it."""
        parts = urlsplit(path)
        kind, *numbers = parts.path.split("/")
        index = [int(number) for number in numbers]
        if any(not 0 <= i < self.trace.done for i in index):
            raise IndexError
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        chosen = {name: int(query[name]) if name in query else None for name in ("layer", "head")}
        match kind:
            case "overview":
                return slices.overview(self.run, controls=self._controls)
            case "segment":
                return slices.segment(self.run, *index, **chosen, reset=self._controls.get("reset"))
            case "memory":
                return memory_slices.moment(self.run, *index) if index else memory_slices.moves(self.run)
            case "changed":
                return memory_slices.changed(self.run, *index)
            case "words":
                return self._words(*index)
            case "attention":
                return self._attention(*index, query, chosen)
        raise KeyError(kind)

    def _attention(self, index: int, query: dict, chosen: dict) -> bytes:
        how, at = query.get("how", "mean"), None
        try:
            record, state = self._replayed(index), {"state": "ready"}
            at = (int(query["row"]), int(query["column"])) if {"row", "column"} <= query.keys() else None
        except InputError as error:
            record, state = self.trace.segments[index], {"state": "absent", "why": str(error)}
        return attention_slices.attention(self.trace, record, how=how, at=at, **chosen, **state)

    def _words(self, index: int) -> bytes:
        if self.model is None:
            return memory_slices.words(self.trace, index, state="absent", why=NO_MODEL)
        from rmt.model.readout import read_slots

        record = self.trace.segments[index]
        readout = read_slots(self.model, record.memory_before, record.memory)
        return memory_slices.words(self.trace, index, readout, state="ready")
