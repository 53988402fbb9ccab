"""Benchmark of the app's budgets, in a real Chromium and with twenty viewers at once, on runs of 128 tokens a segment.

The runs are made first, by an untrained model of 4 layers and 4 heads (what is timed does not depend on the weights):
one of 8 segments, one of 64 with thin maps, one of `--long` segments. A row has what was measured, its budget and
whether it is held. `--steps`, `--load-seconds` and `--memory-steps` say how much is measured.

Viewers of the load run are clients of the server: each opens a run, then steps once a second, as the stepping surface
does (a segment that the cache has not, and one ahead). Nothing of theirs goes through the page script, as in the app.
"""

import http.client
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.common import arguments, report
from rmt import checkpoint
from rmt.backbone.families import backbone_config
from rmt.checkpoint.build import build
from rmt.recorder import record
from rmt.text.tokenizer import open_tokenizer

ROOT = Path(__file__).parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
LENGTH, LAYERS, HEADS, SLOTS, WIDTH = 128, 4, 4, 8, 128
VIEWERS, STARTS, PRESSES = 20, 3, 30
WARM = 200  # steps before the server's memory is looked at for the first time
ACTIONS = Path(__file__).with_name("app.js")
# Timed in the page: Playwright looks again after up to half a second.
STEP, CHOOSE, WHOLE, EDIT, THERE = (
    f"(given) => bench.{name}(given)" for name in ("step", "choose", "whole", "edit", "there")
)


def make_assets(folder: Path, long: int) -> None:
    """Write a checkpoint and three runs of it; the tokenizer is a shipped one, the text is random."""
    tokenizer = open_tokenizer(ROOT / "assets" / "checkpoints" / "detect" / "tokenizer.json")
    vocabulary = tokenizer.get_vocab_size()
    shape = {"layers": LAYERS, "width": WIDTH, "heads": HEADS, "vocabulary": vocabulary}
    spec = {
        "cell": {"kind": "rmt", "options": {"n_memory": SLOTS}},
        "segment_length": LENGTH,
        "alignment": "left",
        "backbone": backbone_config("gpt2", positions=LENGTH + 2 * SLOTS, **shape),
        "task": None,
        "classes": [],
    }
    place = folder / "checkpoints" / "bench"
    checkpoint.save(build(spec, tokenizer), spec, place)
    model, rng = checkpoint.load(place, device="cpu"), np.random.default_rng(0)
    (folder / "traces").mkdir()
    (folder / "results").mkdir()
    shutil.copyfile(ROOT / "assets" / "results" / "experiment.json", folder / "results" / "experiment.json")
    (folder / "checkpoints" / "qa1").symlink_to(ROOT / "assets" / "checkpoints" / "qa1", target_is_directory=True)
    for name, segments, detail in (("a-eight", 8, "thin"), ("b-middle", 64, "thin"), ("c-long", long, "summary")):
        ids = rng.integers(4, vocabulary, segments * LENGTH)
        record(model, ids, detail=detail, out=folder / "traces" / f"{name}.trace.safetensors", loss=segments <= 64)


@contextmanager
def serving(assets: Path) -> Iterator[tuple[str, int]]:
    """Run the app as a visitor would; yields its address and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    environment = os.environ | {"RMT_VIZ_ASSETS": str(assets), "RMT_VIZ_RUNS": str(assets / "runs")}
    with open(assets / "log", "a") as log:
        process = subprocess.Popen(
            [*command, "--server.port", str(port)], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
                break
            except OSError:
                time.sleep(0.05)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(20)


def row(what: str, values: list[float], budget: float, unit: str = "ms", quantile: float = 0.95) -> dict:
    """A row of results: a budget, the quantile that it is about, the median, and whether it is held."""
    measured = float(np.quantile(values, quantile))
    figures = {
        "what": what,
        f"p{round(100 * quantile)}": round(measured, 2),
        "median": round(statistics.median(values), 2),
    }
    return {**figures, "unit": unit, "budget": budget, "held": measured <= budget, "n": len(values)}


def opened(browser, address: str, query: str, ready: str) -> tuple[Page, float]:
    """Open a page as a new visitor; the page, and milliseconds until it is painted."""
    page = browser.new_context(viewport={"width": 1280, "height": 720}).new_page()
    page.add_init_script(path=ACTIONS)
    page.set_default_timeout(120_000)
    began = time.perf_counter()
    page.goto(f"{address}/{query}")
    page.evaluate(THERE, ready)
    return page, 1000 * (time.perf_counter() - began)


def timed(page: Page, script: str, given: list, pause: int = 80) -> list[float]:
    """Milliseconds from an action to its painted result, for each action, one after another."""
    times = []
    for each in given:
        times.append(page.evaluate(script, each))
        page.wait_for_timeout(pause)
    return times


def first_picture(browser, assets: Path) -> dict:
    """Row: the time until a new visitor's first picture."""
    times = []
    for _ in range(STARTS):
        with serving(assets) as (address, _):
            page, took = opened(browser, address, "", ".experiment[data-state=ready]")
            page.context.close()
            times.append(took / 1000)
    return row("first picture after the server answers", times, 3, "s")


def stepping(browser, address: str, steps: int) -> list[dict]:
    """Rows: the time of a step, steps under rapid key presses, and the time of a change of layer or head."""
    page, _ = opened(browser, address, "watch?trace=b-middle&segment=1", ".surface[data-drawn]")
    keys = (["ArrowRight"] * 60 + ["ArrowLeft"] * 60) * (1 + steps // 120)
    rows = [row("step to painted, 128 tokens", timed(page, STEP, keys[:steps]), 100)]
    page.keyboard.press("Home")
    page.wait_for_timeout(500)
    for _ in range(PRESSES):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(30)
    page.wait_for_timeout(1000)
    made = int(page.locator(".surface").get_attribute("data-drawn")) - 1
    rows.append(
        {"what": f"steps of {PRESSES} presses 30 ms apart", "made": made, "budget": PRESSES, "held": made == PRESSES}
    )
    picks = [("layer", str(1 + i % LAYERS)) if i % 2 else ("head", str(1 + i // 2 % HEADS)) for i in range(steps)]
    rows.append(row("layer or head to painted", timed(page, CHOOSE, [list(pick) for pick in picks]), 150))
    page.context.close()
    return rows


def experiment(browser, address: str, edits: int) -> list[dict]:
    """The front page: an edit of the first fact in 16 segments until it is drawn, and frames a second at play."""
    page, _ = opened(browser, address, "", ".experiment[data-state=ready]")
    page.get_by_label("Segments of noise before the question").focus()
    times: list[float] = []
    for i in range(-2, edits):  # first the model is opened, and more noise makes it 16 segments
        if i < 0:
            before = page.locator(".experiment").get_attribute("data-read")
            page.keyboard.press("ArrowRight")
            page.locator(f'.experiment[data-state=ready]:not([data-read="{before}"])').wait_for()
            continue
        page.locator(".chip").first.click()
        page.get_by_label("Where", exact=True).select_option(index=i % 6)
        page.get_by_label("How", exact=True).select_option(index=i // 6 % 5)
        times.append(page.evaluate(EDIT, "Read it so"))
    page.get_by_role("button", name="Play").click()
    frames = page.evaluate("() => bench.frames()")
    page.context.close()
    rate = {"what": "frames a second while the experiment plays", "median": round(frames, 1), "budget": 30,
            "held": frames >= 30}  # fmt: skip
    return [row("an edit of the first of 16 segments to painted", times, 1000), rate]


def whole_maps(browser, address: str, steps: int) -> dict:
    """Rows: the time until a segment's whole maps are drawn."""
    page, _ = opened(browser, address, "attention?trace=b-middle&segment=1", "[data-whole]")
    times = timed(page, WHOLE, ["ArrowRight"] * min(steps, 60), 700)
    page.context.close()
    return row("whole attention map of another segment, 4 layers, 128 tokens", times, 400)


def long_and_short(browser, address: str, long: int, steps: int) -> list[dict]:
    """Rows: opening and stepping of the long run over the short one's, in turns, so that other work slows both."""
    times = {name: {"open": [], "step": []} for name in ("a-eight", "c-long")}
    for i in range(max(3, steps // 10)):
        for name in times:
            at = 1 + i % 6 if name == "a-eight" else random.Random(i).randrange(1, long - 8)
            page, took = opened(browser, address, f"watch?trace={name}&segment={at}", ".surface[data-drawn]")
            times[name]["open"].append(took)
            times[name]["step"] += timed(page, STEP, ["ArrowRight", "ArrowLeft", "ArrowRight"])
            page.context.close()
    rows = []
    for what in ("open", "step"):
        short, far = (statistics.median(times[name][what]) for name in times)
        rows.append(
            {"what": f"{what}: {long} segments over 8", "ratio": round(far / short, 2), "budget": 1.5,
             "held": far <= 1.5 * short, "median": round(far, 1), "median_of_8": round(short, 1), "unit": "ms"}
        )  # fmt: skip
    return rows


def viewer(address: str, seconds: float, seed: int, times: list[float], length: int) -> None:
    """One viewer: opens the run, then steps once a second to a segment of its own, with the next one fetched ahead."""
    rng, connection = random.Random(seed), http.client.HTTPConnection(address.removeprefix("http://"), timeout=60)

    def get(path: str) -> float:
        began = time.perf_counter()
        connection.request("GET", f"/rmt/trace/b-middle/{path}")
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return 1000 * (time.perf_counter() - began)

    time.sleep(rng.random())
    get("overview")
    end, at = time.monotonic() + seconds, rng.randrange(length)
    while time.monotonic() < end:
        began, at = time.monotonic(), (at + 1) % length
        times.append(get(f"segment/{at}"))
        times.append(get(f"segment/{(at + 1) % length}"))
        time.sleep(max(0.0, 1 - (time.monotonic() - began)))


def load(browser, address: str, seconds: float) -> dict:
    """Rows: twenty viewers at once; one is a Chromium that stays on the page, so that the server has a session, too."""
    page, _ = opened(browser, address, "watch?trace=b-middle", ".surface[data-drawn]")
    times: list[float] = []
    viewers = [threading.Thread(target=viewer, args=(address, seconds, i, times, 64)) for i in range(VIEWERS - 1)]
    for one in viewers:
        one.start()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.keyboard.press("ArrowRight" if int(page.locator(".surface").get_attribute("data-drawn")) < 60 else "Home")
        page.wait_for_timeout(1000)
    for one in viewers:
        one.join()
    page.context.close()
    return row(f"{VIEWERS} viewers, a step a second each: the server's answer", times, 100, quantile=0.9)


def resident(pid: int) -> float:
    """Megabytes that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def memory(browser, address: str, pid: int, steps: int, long: int) -> dict:
    """Rows: the server's memory after so many steps, over its memory after the first ones."""
    page, _ = opened(browser, address, "watch?trace=c-long&segment=1", ".surface[data-drawn]")
    before = 0.0
    for i in range(steps + WARM):
        if i == WARM:
            before = resident(pid)
        page.evaluate(STEP, "ArrowRight" if (i + 2) % (long - 2) else "Home")
    after = resident(pid)
    page.context.close()
    return {"what": f"server's memory after {steps} steps over that after {WARM}", "ratio": round(after / before, 3),
            "budget": 1.05, "held": after <= 1.05 * before, "before": round(before, 1), "after": round(after, 1),
            "unit": "MB"}  # fmt: skip


def main() -> None:
    """Measure all budgets and print them."""
    given = arguments(__doc__, steps=100, load_seconds=60.0, memory_steps=2000, long=4096)
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit("There is no Chromium on this machine; install chromium.")
    with tempfile.TemporaryDirectory(prefix="rmt-bench-") as name, sync_playwright() as playwright:
        assets = Path(name)
        make_assets(assets, given.long)
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        rows = [first_picture(browser, assets)]
        with serving(assets) as (address, pid):
            rows += stepping(browser, address, given.steps)
            rows.append(load(browser, address, given.load_seconds))
            rows.append(memory(browser, address, pid, given.memory_steps, given.long))
            rows += long_and_short(browser, address, given.long, given.steps)
            rows.append(whole_maps(browser, address, given.steps))  # from here on torch is in the server
            rows += experiment(browser, address, max(5, given.steps // 5))
        browser.close()
    report(rows, given.json, viewers=VIEWERS, model=f"{LAYERS} layers, {HEADS} heads, width {WIDTH}, {SLOTS} slots")


if __name__ == "__main__":
    main()
