"""Benchmark of the static site beside the app: its size, its first picture, steps, choices and pages, in one Chromium.

The site of the bundled runs is written first, and served by Python's plain file server. Steps are made in turns of
ten, in the site and in the app on the same run, so that other work on the machine slows both; a row has both and their
ratio.
`--site` takes a site that is there. The budgets are the app's (see `benchmarks.app`).
"""

import functools
import http.server
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

from benchmarks.app import CHOOSE, FLAGS, NAMES, ROOT, STEP, opened, serving, timed
from benchmarks.common import arguments, report
from rmt_viz.shelf.library import Library
from rmt_viz.site.export import export_site

RUN, TURN = "detect-64", 10  # 64 segments with the maps of each head: eight files of the site
MOST_MB = 25
SHOWN = ".surface[data-drawn]"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Python's plain file server without its log."""

    def log_message(self, *_) -> None:
        pass


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """Serve a folder as any web server would; yields its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def beside(what: str, times: dict[str, list[float]], budget: float, unit: str = "ms") -> dict:
    """A row: p50 and p95 of the site and of the app, and the ratio of the medians."""
    figures = {
        f"{name} {label}": round(float(np.quantile(values, q)), 1)
        for name, values in times.items()
        for label, q in (("p50", 0.5), ("p95", 0.95))
    }
    site, app = (float(np.median(times[name])) for name in ("site", "app"))
    held = float(np.quantile(times["site"], 0.95)) <= budget
    return {"what": what, **figures, "ratio": round(site / app, 2), "unit": unit, "budget": budget, "held": held,
            "n": len(times["site"])}  # fmt: skip


def first_pictures(browser, addresses: dict[str, str], rounds: int) -> dict:
    """Row: the time until a new visitor of Watch sees the run."""
    times: dict[str, list[float]] = {name: [] for name in addresses}
    for _ in range(rounds):
        for name, address in addresses.items():
            page, took = opened(browser, address, _watch(name), SHOWN)
            times[name].append(took / 1000)
            page.context.close()
    return beside("first picture of Watch", times, 3, "s")


def stepping(browser, addresses: dict[str, str], steps: int) -> list[dict]:
    """Rows: steps on to the end and back, and other layers and heads."""
    pages = {name: opened(browser, address, _watch(name), SHOWN)[0] for name, address in addresses.items()}
    keys = (["ArrowRight"] * 60 + ["ArrowLeft"] * 60) * (1 + steps // 120)
    picks = [["layer", str(1 + i % 4)] if i % 2 else ["head", str(1 + i // 2 % 4)] for i in range(steps)]
    rows = []
    for what, script, given, budget in (
        ("step to painted", STEP, keys[:steps], 100), ("layer or head to painted", CHOOSE, picks, 150),
    ):  # fmt: skip
        times: dict[str, list[float]] = {name: [] for name in pages}
        for i in range(0, steps, TURN):
            for name, page in pages.items():
                page.bring_to_front()
                times[name] += timed(page, script, given[i : i + TURN])[1:]  # the first wakes a page that was behind
        rows.append(beside(what, times, budget))
    for page in pages.values():
        page.context.close()
    return rows


def _watch(name: str) -> str:
    return ("#watch?" if name == "site" else "watch?") + f"trace={RUN}&segment=1"


def main() -> None:
    """Measure the site and the app in turns and print both."""
    given = arguments(__doc__, steps=120, rounds=5, site="")
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        sys.exit("There is no Chromium on this machine; install chromium.")
    with tempfile.TemporaryDirectory(prefix="rmt-bench-") as name, sync_playwright() as playwright:
        folder, began = Path(given.site or f"{name}/site"), time.monotonic()
        if not given.site:
            export_site(folder, Library())
        files = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
        size = {"what": "size of the site", "MB": round(sum(files) / 1e6, 1), "files": len(files), "budget": MOST_MB,
                "held": sum(files) < MOST_MB * 1e6, "written in s": round(time.monotonic() - began)}  # fmt: skip
        assets = Path(name) / "assets"
        assets.mkdir()
        for each in (ROOT / "assets").iterdir():
            (assets / each.name).symlink_to(each)
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        with hosted(folder) as site, serving(assets) as (app, _):
            addresses = {"site": site, "app": app}
            rows = [size, first_pictures(browser, addresses, given.rounds), *stepping(browser, addresses, given.steps)]
        browser.close()
    report(rows, given.json, run=RUN)


if __name__ == "__main__":
    main()
