"""What a page of the app fetches from the server's routes over one connection, and how long that takes."""

import asyncio
import http.client
import json
import re
import time
from urllib.parse import urlsplit

RUN, LENGTH = "detect-64", 64  # the run that is stepped through, and its segments
PATIENCE = 120  # seconds for a replay or an edit


class Fetcher:
    """One page's connection. Times of its actions, in milliseconds: {"step": [...], ...}; errors by what they were.

    Those who share `times` and `errors` are counted together.
    """

    def __init__(self, address: str, times: dict[str, list[float]], errors: list[str]):
        place = urlsplit(address)
        self.connection = http.client.HTTPConnection(place.netloc, timeout=60)
        self.prefix, self.times, self.errors = place.path, times, errors

    async def step(self, at: int) -> None:
        """Segment `at` and the one ahead, as the surface fetches them; a step is the slower of the two."""
        await self._timed("step", self._step, at)

    async def replay(self, at: int) -> None:
        """The whole attention maps of a segment, from its replay; asked for again until they are there."""
        await self._timed("replay", self._replay, at)

    async def edit(self, prose: str) -> None:
        """The front page's experiment with other words in it, until its numbers are there."""
        await self._timed("edit", self._edit, prose)

    async def _timed(self, what: str, action, *given) -> None:
        try:
            self.times.setdefault(what, []).append(await action(*given))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.connection.close()
            self.errors.append(f"{what}: {type(error).__name__} {error}"[:200])

    async def _step(self, at: int) -> float:
        took, _, timing = max([await self._ask(f"/rmt/trace/{RUN}/segment/{i % LENGTH}") for i in (at, at + 1)])
        for name, what in (("total", "step, in the server"), ("work", "step, work of the server")):
            self.times.setdefault(what, []).append(float(re.search(rf"{name};dur=([0-9.]+)", timing)[1]))
        return took

    async def _replay(self, at: int) -> float:
        def state(body: bytes) -> dict:
            return json.loads(body[4 : 4 + int.from_bytes(body[:4], "little")])["meta"]

        return await self._until_ready(f"/rmt/trace/{RUN}/attention/{at % LENGTH}?layer=0&head=0", None, state)

    async def _edit(self, prose: str) -> float:
        told = [[{"who": "Mary", "how": "went", "where": "kitchen"}, prose]]
        sent = json.dumps({"segments": told, "noise": 4, "model": "trained"})
        return await self._until_ready("/rmt/experiment", sent, json.loads)

    async def _until_ready(self, path: str, sent: str | None, state) -> float:
        began = time.perf_counter()
        while time.perf_counter() - began < PATIENCE:
            answer = state((await self._ask(path, sent))[1])
            if answer["state"] == "ready":
                return 1000 * (time.perf_counter() - began)
            if answer["state"] != "loading":
                raise ValueError(str(answer.get("why", answer))[:100])
            await asyncio.sleep(answer["again"] / 1000)
        raise TimeoutError("not ready")

    async def _ask(self, path: str, sent: str | None = None) -> tuple[float, bytes, str]:
        """Milliseconds of one answer, its body and Server-Timing. Raises ValueError for any other status than 200."""

        def ask() -> tuple[float, bytes, str]:
            began = time.perf_counter()
            headers = {"Content-Type": "application/json"} if sent else {}
            self.connection.request("POST" if sent else "GET", self.prefix + path, sent, headers)
            answer = self.connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                raise ValueError(f"{answer.status} {body[:100]!r}")
            return 1000 * (time.perf_counter() - began), body, answer.getheader("Server-Timing", "")

        return await asyncio.to_thread(ask)
