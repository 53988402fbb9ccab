"""A visitor without a browser: a client that speaks Streamlit's protocol over its websocket, as a page does."""

import asyncio
import contextlib
from collections.abc import Callable
from urllib.parse import urlsplit

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


class Visitor:
    """One session with the app. `elements` is what is on the page: (kind, its message) in the page's order.

    page: as in the address, "" for the first. errors: sentences in red boxes, and exceptions, seen so far.
    """

    def __init__(self, address: str):
        place = urlsplit(address)
        self.url, self.address = f"ws://{place.netloc}{place.path}/_stcore/stream", address
        self.origin = f"{place.scheme}://{place.netloc}"
        self.page, self.query, self.shown, self.errors = "", "", {}, []
        self.runs = 0  # of the page's script, that have ended
        self.ended = asyncio.Event()

    async def __aenter__(self) -> "Visitor":
        self.socket = await websockets.connect(
            self.url, subprotocols=["streamlit"], origin=self.origin, max_size=None, open_timeout=60
        )
        self.reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_) -> None:
        self.reader.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self.reader
        await self.socket.close()

    @property
    def elements(self) -> list[tuple[str, object]]:
        return [self.shown[path] for path in sorted(self.shown)]

    def of(self, kind: str) -> list:
        """The messages of all elements of a kind: button, progress, alert, bidi_component and so on."""
        return [message for name, message in self.elements if name == kind]

    async def open(self, page: str = "", query: str = "") -> None:
        """Go to a page; returns when its script has ended."""
        self.page, self.query = page, query
        await self.rerun()

    async def click(self, label: str) -> None:
        """Press the button of this label."""
        button = next(button for button in self.of("button") if button.label == label)
        await self.rerun(button.id)

    async def type(self, label: str, text: str) -> None:
        """Write a text into the field of this label."""
        field = next(field for field in self.of("text_area") if field.label == label)
        await self.rerun(typed=(field.id, text))

    async def rerun(self, pressed: str = "", typed: tuple[str, str] | None = None) -> None:
        """Run the page's script once more; returns when it has ended.

        pressed: the id of a button. typed: the id of a field and what stands in it.
        """
        message = BackMsg()
        state = message.rerun_script
        state.page_name, state.query_string = self.page, self.query
        state.context_info.url = f"{self.address}/{self.page}"  # from which a page knows that it was just come to
        if pressed:
            widget = state.widget_states.widgets.add()
            widget.id, widget.trigger_value = pressed, True
        if typed:
            widget = state.widget_states.widgets.add()
            widget.id, widget.string_value = typed
        before = self.runs
        await self.socket.send(message.SerializeToString())
        while self.runs == before:
            self.ended.clear()
            waiting = asyncio.create_task(self.ended.wait())
            done, _ = await asyncio.wait({waiting, self.reader}, timeout=180, return_when=asyncio.FIRST_COMPLETED)
            if waiting not in done:
                waiting.cancel()
                raise TimeoutError("the page did not come") from (self.reader.exception() if done else None)

    async def follow(self, every: float = 0.4, most: float = 600) -> None:
        """Wait for the visitor's jobs to end, asking as often as a page does."""
        await self.until(lambda: not self.of("progress"), every, most)

    async def until(self, condition: Callable[[], bool], every: float = 0.4, most: float = 600) -> None:
        """Run the page's script again until its elements are as they should be."""
        end = asyncio.get_running_loop().time() + most
        while not condition():
            assert asyncio.get_running_loop().time() < end, "the page did not come so far"
            await asyncio.sleep(every)
            await self.rerun()

    async def _read(self) -> None:
        while True:
            message = ForwardMsg()
            message.ParseFromString(await self.socket.recv())
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.shown = {}
            elif kind == "delta":
                self._take(tuple(message.metadata.delta_path), message.delta)
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                self.runs += 1
                self.ended.set()

    def _take(self, path: tuple[int, ...], delta) -> None:
        if delta.WhichOneof("type") != "new_element":
            self.shown = {known: element for known, element in self.shown.items() if known[: len(path)] != path}
            return
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind) if kind else None
        self.shown[path] = (kind, element)
        if kind == "exception":
            self.errors.append(element.type)
        elif kind == "alert" and element.format == element.ERROR:
            self.errors.append(element.body)
