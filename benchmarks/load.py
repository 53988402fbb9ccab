"""The app under load: viewers with a session each step, run what-ifs and record; what a step costs meanwhile.

Every viewer is a websocket client of the server and steps once a second as the surface does: a segment, and the one
ahead. `--viewers` says how many at a time, a round each of `--seconds`, in which one of them runs a what-if. Then,
with `--others` viewers, steps are timed alone, and while one visitor trains a model and another has 64 segments read
and recorded; and how long that takes alone, and beside the training. The clients share the server's cores.
"""

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
import urllib.request
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np

from benchmarks.app import ROOT, resident, serving
from benchmarks.common import report
from benchmarks.visitor import Visitor

RUN, LENGTH = "detect-64", 64  # the run that is stepped through, and its segments


async def get(path: str, address: str) -> float:
    """Milliseconds of one answer of a route; raises for any other status than 200."""

    def ask() -> float:
        began = time.perf_counter()
        with urllib.request.urlopen(f"{address}/rmt/trace/{path}", timeout=60) as answer:
            answer.read()
        return 1000 * (time.perf_counter() - began)

    return await asyncio.to_thread(ask)


async def step(address: str, seconds: float, seed: int, times: list[float], errors: list[str]) -> None:
    """Step once a second; a step is the slower of its two requests."""
    rng = random.Random(seed)
    await asyncio.sleep(rng.random())
    end, at = time.monotonic() + seconds, rng.randrange(LENGTH)
    while time.monotonic() < end:
        began, at = time.monotonic(), (at + 1) % LENGTH
        try:
            both = [await get(f"{RUN}/segment/{i % LENGTH}", address) for i in (at, at + 1)]
            times.append(max(both))
        except OSError as error:
            errors.append(type(error).__name__)
        await asyncio.sleep(max(0.0, 1 - (time.monotonic() - began)))


async def visitors(stack: AsyncExitStack, address: str, n: int, opened: list[float]) -> list[Visitor]:
    """So many sessions, each on the first page; opened: the seconds that each took."""
    found = []
    for _ in range(n):
        began = time.perf_counter()
        visitor = await stack.enter_async_context(Visitor(address))
        await visitor.open("", f"trace={RUN}")
        opened.append(time.perf_counter() - began)
        found.append(visitor)
    return found


def row(what: str, values: list[float], unit: str = "ms", **more) -> dict:
    quantiles = {f"p{round(100 * q)}": round(float(np.quantile(values, q)), 1) for q in (0.5, 0.9, 0.99)}
    return {"what": what, **quantiles, "unit": unit, "n": len(values), **more}


async def a_round(address: str, pid: int, n: int, seconds: float) -> list[dict]:
    """n viewers step; beside that one runs a what-if."""
    times, errors, opened, before = [], [], [], resident(pid)
    async with AsyncExitStack() as stack:
        there = await visitors(stack, address, n, opened)
        steps = [asyncio.create_task(step(address, seconds, i, times, errors)) for i in range(n)]
        changed = await read_again(there[0], 8 + n % 50)
        await asyncio.gather(*steps)
        errors += [error for visitor in there for error in visitor.errors]
    memory = {"memory_before": round(before), "memory_after": round(resident(pid))}
    return [
        row(f"{n} viewers: a step", times, errors=len(errors), **memory),
        row(f"{n} viewers: a session opened", opened, "s"),
        {"what": f"{n} viewers: one of them runs a what-if", "seconds": round(changed, 1)},
    ]


async def read_again(visitor: Visitor, segment: int) -> float:
    """Seconds until the run of 64 segments is read and recorded once more, with its memory reset before a segment."""
    began = time.perf_counter()
    await visitor.open("what-if", f"trace={RUN}&change=reset@{segment}")
    await visitor.follow(0.2)
    return time.perf_counter() - began


async def train(visitor: Visitor) -> None:
    await visitor.open("train")
    label = next(b.label for b in visitor.of("button") if b.label.startswith("Train") and b.is_form_submitter)
    await visitor.click(label)


async def beside_work(address: str, n: int, seconds: float) -> list[dict]:
    """Steps of n viewers alone and beside a training and a recording; a recording alone and beside a training."""
    alone, beside, errors = [], [], []
    async with AsyncExitStack() as stack:
        trainer, recorder = await visitors(stack, address, 2, [])
        await read_again(recorder, 2)  # what is loaded once is loaded
        by_itself = await read_again(recorder, 3)
        await asyncio.gather(*(step(address, seconds, i, alone, errors) for i in range(n)))
        await train(trainer)
        steps = [asyncio.create_task(step(address, seconds, i, beside, errors)) for i in range(n)]
        behind = await read_again(recorder, 4)
        await asyncio.gather(*steps)
        still = bool(trainer.of("progress"))
    ratio = round(statistics.median(beside) / statistics.median(alone), 2)
    return [
        row(f"{n} viewers step, nobody else works", alone, errors=len(errors)),
        row(f"{n} viewers step while one trains and one records", beside, times_as_long=ratio),
        {"what": "64 segments read and recorded for a visitor, alone", "seconds": round(by_itself, 1)},
        {"what": "the same while another visitor trains", "seconds": round(behind, 1), "training_went_on": still},
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--viewers", type=int, nargs="*", default=[1, 20, 50, 100])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--others", type=int, default=20)
    given, rows = parser.parse_args(), []
    with tempfile.TemporaryDirectory(prefix="rmt-load-") as name:
        assets = Path(name)
        for part in (ROOT / "assets").iterdir():
            (assets / part.name).symlink_to(part)
        with serving(assets) as (address, pid):
            for n in given.viewers:
                rows += asyncio.run(a_round(address, pid, n, given.seconds))
            if given.others:
                rows += asyncio.run(beside_work(address, given.others, given.seconds))
            with urllib.request.urlopen(f"{address}/healthz") as answer:
                rows.append({"what": "healthz at the end", **json.load(answer)})
    report(rows, given.json)


if __name__ == "__main__":
    main()
