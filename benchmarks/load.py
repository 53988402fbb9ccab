"""The app under load: viewers who step, replay, edit, ask what-ifs and record their own text, and what each waits.

Every viewer is a session over a websocket, with a connection to the routes, that steps once a second as the surface
does: a segment, and the one ahead. `--viewers` says how many at a time, a round each of `--seconds`. In each round
every viewer looks at whole maps now and then, a few edit the first page's text, two run what-ifs, two record a text of
their own, and `--browsers` of them are real Chromiums. Then `--steps` steps as fast as they come, for the server's
memory. Then `--others` viewers step in turns: alone, and while one visitor trains and another has 64 segments read and
recorded; the ratio is that of one turn to the one before it. The clients share the server's cores, and each row has the
machine's load average at its end.
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import shutil
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
from playwright.async_api import async_playwright

from benchmarks.app import ACTIONS, FLAGS, NAMES, ROOT, STEP, resident, serving
from benchmarks.common import report
from benchmarks.fetcher import LENGTH, RUN, Fetcher
from benchmarks.visitor import Visitor

TEXT = "The library opens at nine. A letter came in the morning, and nobody read it. Number {} stays closed on Mondays."
QUESTION = "Does memory cause"  # the title of What if until there is an answer
REPLAY, EDIT = 15, 10  # a viewer replays every so many steps; one of ten edits every so many seconds


async def stepping(fetcher: Fetcher, seconds: float, seed: int, edits: bool = False, replays: bool = True) -> None:
    """Step once a second from somewhere in the run."""
    rng = random.Random(seed)
    await asyncio.sleep(rng.random())
    end, at = time.monotonic() + seconds, rng.randrange(LENGTH)
    while time.monotonic() < end:
        began, at = time.monotonic(), (at + 1) % LENGTH
        await fetcher.step(at)
        if replays and at % REPLAY == 0:
            await fetcher.replay(at)
        if edits and at % EDIT == 0:
            await fetcher.edit(TEXT.format(rng.randrange(10**6)))
        await asyncio.sleep(max(0.0, 1 - (time.monotonic() - began)))


async def visitors(stack: AsyncExitStack, address: str, n: int, opened: list[float]) -> list[Visitor]:
    """So many sessions, each on a run; opened: the milliseconds that each took."""
    found = []
    for _ in range(n):
        began = time.perf_counter()
        visitor = await stack.enter_async_context(Visitor(address))
        await visitor.open("watch", f"trace={RUN}")
        opened.append(1000 * (time.perf_counter() - began))
        found.append(visitor)
    return found


async def what_ifs(visitor: Visitor, times: dict, numbers: range) -> None:
    """Read a short run again with noise in its memory before a segment, other noise for each number.

    The answer comes first, then the control: the same change in runs with other facts.
    """
    for number in numbers:
        began = time.perf_counter()
        change = f"noise:0.5:{number}@{2 + number % 7}"
        await visitor.open("what-if", urlencode({"trace": "detect", "change": change}))
        await visitor.until(lambda: all(QUESTION not in heading.body for heading in visitor.of("heading")), 0.3)
        times.setdefault("what-if", []).append(1000 * (time.perf_counter() - began))
        await visitor.follow(0.3)
        times.setdefault("what-if with its control", []).append(1000 * (time.perf_counter() - began))


async def own_texts(visitor: Visitor, times: dict, numbers: range) -> None:
    """Record texts with a shipped checkpoint, as the Models page does it."""
    for number in numbers:
        await visitor.open("models")
        await visitor.click("Detect")
        await visitor.follow(0.3)
        await visitor.type("Text", " ".join(TEXT.format(number + i) for i in range(6)))
        began = time.perf_counter()
        await visitor.click("Record")
        await visitor.follow(0.3)
        times.setdefault("own text", []).append(1000 * (time.perf_counter() - began))


@asynccontextmanager
async def chromium(n: int):
    """A browser, or None where none is asked for. Ends the program where there is no Chromium on the machine."""
    if not n:
        yield None
        return
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        raise SystemExit("There is no Chromium on this machine; install chromium, or give --browsers 0.")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        await browser.close()


async def in_a_browser(browser, address: str, seconds: float, times: dict, errors: list[str]) -> None:
    """Step in a real page; a step lasts until it is painted."""
    page = await (await browser.new_context(viewport={"width": 1280, "height": 720})).new_page()
    page.set_default_timeout(120_000)
    page.on("pageerror", lambda error: errors.append(f"browser: {error}"[:200]))
    await page.add_init_script(path=ACTIONS)
    await page.goto(f"{address}/watch?trace={RUN}&segment=1")
    await page.locator(".surface[data-drawn]").wait_for()
    end, at = time.monotonic() + seconds, 1
    while time.monotonic() < end:
        key, at = ("Home", 1) if at == LENGTH else ("ArrowRight", at + 1)
        times.setdefault("step until painted", []).append(await page.evaluate(STEP, key))
        await asyncio.sleep(1)
    await page.context.close()


def row(what: str, values: list[float], **more) -> dict:
    quantiles = {f"p{round(100 * q)}": round(float(np.quantile(values, q)), 1) for q in (0.5, 0.9, 0.99)}
    load = round(os.getloadavg()[0], 1)
    return {"what": what, **quantiles, "unit": "ms", "n": len(values), **more, "load_average": load}


async def a_round(address: str, pid: int, n: int, seconds: float, browsers: int) -> list[dict]:
    """n viewers step and replay; some of them edit, run what-ifs, record; so many are browsers."""
    times, errors, opened, before = {}, [], [], resident(pid)
    async with AsyncExitStack() as stack:
        there = await visitors(stack, address, n, opened)
        browser = await stack.enter_async_context(chromium(min(browsers, n - 1)))
        work = [stepping(Fetcher(address, times, errors), seconds, i, edits=i % 10 == 0) for i in range(n)]
        work += [in_a_browser(browser, address, seconds, times, errors) for _ in range(min(browsers, n - 1))]
        work += [what_ifs(v, times, range(4 * n + 2 * i, 4 * n + 2 * i + 2)) for i, v in enumerate(there[:2])]
        work += [own_texts(v, times, range(1000 * n + 10 * i, 1000 * n + 10 * i + 2)) for i, v in enumerate(there[2:4])]
        await asyncio.gather(*work)
        errors += [error for visitor in there for error in visitor.errors]
    rows = [row(f"{n} viewers: a session opened", opened)]
    rows += [row(f"{n} viewers: {what}", values) for what, values in times.items() if values]
    memory = {"memory_before": round(before), "memory_after": round(resident(pid)), "memory_unit": "MB"}
    return [*rows, {"what": f"{n} viewers: errors", "errors": len(errors), "which": errors[:3], **memory}]


async def flat(address: str, pid: int, steps: int, warm: int = 200) -> dict:
    """The server's memory after so many steps, over that after the first ones."""
    times, errors, before = {}, [], 0.0
    fetcher = Fetcher(address, times, errors)
    async with Visitor(address) as visitor:
        await visitor.open("watch", f"trace={RUN}")
        for i in range(steps + warm):
            if i == warm:
                before = resident(pid)
            await fetcher.step(i)
        after = resident(pid)
    figures = {"ratio": round(after / before, 3), "before": round(before, 1), "after": round(after, 1), "unit": "MB"}
    held = {"budget": 1.05, "held": after <= 1.05 * before}
    return {"what": f"memory after {steps} steps over that after {warm}", **figures, **held, "errors": len(errors)}


async def read_again(visitor: Visitor, numbers: Iterator[int], end: float) -> list[float]:
    """Have the run of 64 segments read and recorded again and again, with its controls, until the end (monotonic).

    Each time there is other noise in its memory. Seconds that each took; one is cut short by the end.
    """
    seconds = []
    while not seconds or time.monotonic() < end:
        began = time.monotonic()
        await visitor.open("what-if", urlencode({"trace": RUN, "change": f"noise:0.5:{next(numbers)}@2"}))
        await visitor.until(lambda: not visitor.of("progress") or (seconds and time.monotonic() > end))
        seconds.append(time.monotonic() - began)
    return seconds


async def under_way(visitor: Visitor) -> None:
    """Wait until the visitor's job has made its first step."""
    while not any(" of " in bar.text for bar in visitor.of("progress")):
        assert visitor.of("progress"), "the job has ended"
        await asyncio.sleep(0.4)
        await visitor.rerun()


async def beside_work(address: str, n: int, seconds: float, turns: int) -> list[dict]:
    """Steps of n viewers in turns, alone and beside a training and a recording."""
    alone, beside, errors, ratios = {}, {}, [], {"p50": [], "p90": []}
    numbers, trained, recorded = itertools.count(1), [], []

    async def steps(times: dict, turn: int) -> list[float]:
        these = {}
        await asyncio.gather(
            *(stepping(Fetcher(address, these, errors), seconds, n * turn + i, replays=False) for i in range(n))
        )
        times.setdefault("step", []).extend(these["step"])
        return these["step"]

    async with AsyncExitStack() as stack:
        trainer, recorder = await visitors(stack, address, 2, [])
        (by_itself,) = await read_again(recorder, numbers, 0)
        for turn in range(turns):
            before = await steps(alone, turn)
            await trainer.open("train")
            await trainer.click("Train")
            await under_way(trainer)
            recording = asyncio.create_task(read_again(recorder, numbers, time.monotonic() + seconds))
            after = await steps(beside, turn)
            recorded += await recording
            await trainer.rerun()
            trained.append(bool(trainer.of("progress")))
            for visitor in (recorder, trainer):
                if visitor.of("progress"):
                    await visitor.click("Cancel")
            for q in (50, 90):
                ratios[f"p{q}"].append(float(np.quantile(after, q / 100) / np.quantile(before, q / 100)))
    ratio = {f"times_as_long_{name}": round(statistics.median(values), 2) for name, values in ratios.items()}
    return [
        row(f"{n} viewers step, nobody else works", alone["step"], errors=len(errors)),
        row(f"{n} viewers step while one trains and one records", beside["step"], **ratio),
        {"what": "the same, turn by turn", **{name: np.round(values, 2).tolist() for name, values in ratios.items()},
         "training_still_went_on": f"{sum(trained)} of {len(trained)}", "recordings": len(recorded)},
        {"what": "64 segments read again for a visitor, with the control, alone", "seconds": round(by_itself, 1)},
    ]  # fmt: skip


async def measure(address: str, pid: int, given: argparse.Namespace) -> list[dict]:
    """All rows; each part's are told on standard error when it ends."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(128))
    rows = []

    def take(part: list[dict]) -> None:
        rows.extend(part)
        print(*map(json.dumps, part), sep="\n", file=sys.stderr, flush=True)

    take([{"what": "load average before", "load_average": round(os.getloadavg()[0], 1)}])
    for n in given.viewers:
        take(await a_round(address, pid, n, given.seconds, given.browsers))
    if given.steps:
        take([await flat(address, pid, given.steps)])
    if given.others:
        take(await beside_work(address, given.others, given.turn, given.turns))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--viewers", type=int, nargs="*", default=[1, 20, 50, 100])
    parser.add_argument("--seconds", type=float, default=60, help="of each of their rounds")
    parser.add_argument("--browsers", type=int, default=2, help="real browsers in a round of more than one viewer")
    parser.add_argument("--steps", type=int, default=2000, help="for the server's memory")
    parser.add_argument("--others", type=int, default=20, help="viewers who step while others work")
    parser.add_argument("--turn", type=float, default=15, help="seconds of each of their turns")
    parser.add_argument("--turns", type=int, default=4, help="alone and beside work")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rmt-load-") as name:
        assets = Path(name)
        for part in (ROOT / "assets").iterdir():
            (assets / part.name).symlink_to(part)
        with serving(assets) as (address, pid):
            rows = asyncio.run(measure(address, pid, given))
            with urllib.request.urlopen(f"{address}/healthz") as answer:
                rows.append({"what": "healthz at the end", **json.load(answer)})
    report(rows, given.json)


if __name__ == "__main__":
    main()
