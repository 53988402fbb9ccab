"""The widget in a real JupyterLab and a real Chromium: Python moves the screen, and the screen moves Python.

make jupyter calls this with the Python of an environment that has JupyterLab; [--picture FILE.png] keeps what was seen.
"""

import argparse
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 900_000  # the first cell loads torch
CELLS = (
    "import rmt\nfrom rmt.shipped import checkpoint, trace\n"
    'run, model = trace("qa1"), rmt.load(checkpoint("qa1"))\nwidget = rmt.widget(run, model)\nwidget',
    'widget.segment, widget.layer, widget.head = 2, 1, 3\nprint("set")',
    'print("python sees", widget.segment, widget.layer, widget.head, widget.slot)',
    'widget.slot = 4\nprint("map", widget.whole_map().shape)',
    'print("end", widget.segment, widget.slot)',
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", type=Path)
    picture = parser.parse_args().picture
    with tempfile.TemporaryDirectory(prefix="rmt-viz-jupyter-") as name:
        folder = Path(name)
        (folder / "widget.ipynb").write_text(json.dumps(notebook()))
        with lab(folder) as address, sync_playwright() as playwright:
            program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
            browser = playwright.chromium.launch(
                executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1500, "height": 1300})
            page.set_default_timeout(PATIENCE_MS)
            expect.set_options(timeout=PATIENCE_MS)
            page.goto(address)
            tried(page, picture)
            browser.close()
    print("what is set in Python shows on the screen, and what is clicked there is in Python")


def notebook() -> dict:
    """The notebook of CELLS."""
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "source": text, "execution_count": None, "outputs": []}
        for i, text in enumerate(CELLS)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


@contextmanager
def lab(folder: Path):
    """JupyterLab on this folder; yields the address of the notebook."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"]
    command += [f"--port={port}", "--port-retries=0", f"--IdentityProvider.token={token}"]
    command += [f"--ServerApp.root_dir={folder}"]
    own = {"PYTHONPATH": str(ROOT), "HOME": str(folder), "JUPYTER_CONFIG_DIR": str(folder / "config")}
    environment = os.environ | own
    with open(folder / "log", "w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(3000):
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        else:
            sys.exit((folder / "log").read_text())
        yield f"{address}/lab/tree/widget.ipynb?token={token}"
    finally:
        process.terminate()
        process.wait(30)


def tried(page: Page, picture: Path | None) -> None:
    """Both ways, step by step. Segments, layers, heads and slots are counted from 0 in Python, from 1 on the screen."""
    page.locator(".jp-Notebook .jp-CodeCell").first.locator(".cm-content").click()
    page.get_by_text("| Idle").wait_for()  # the kernel is there; before, what is run is lost
    run(page, 0)
    surface = page.locator(".rmt-widget[data-drawn]")
    surface.wait_for()
    said = surface.locator(".sentence")
    print(f"drawn: “{said.inner_text()}”")
    page.keyboard.press("Shift+Enter")
    output(page, 1, "set")
    expect(said).to_contain_text("Segment 3 of")
    for name, value in (("layer", "2"), ("head", "4")):
        expect(surface.locator(f"select[aria-label={name}]").first).to_have_value(value)
    print("set in Python, seen on the screen: segment 3, layer 2, head 4")
    surface.get_by_role("button", name="Next segment").click()
    surface.get_by_role("button", name="Next segment").click()
    expect(said).to_contain_text("Segment 5 of")
    surface.locator("select[aria-label=head]").first.select_option("2")
    run(page, 2)
    output(page, 2, "python sees 4 1 1 None")
    print("clicked on the screen, seen in Python: segment 4, layer 1, head 1, counted from 0")
    page.keyboard.press("Shift+Enter")
    length = output(page, 3, "map (")
    print(f"whole_map of the live model: {length}")
    run(page, 4)
    output(page, 4, "end 4 4")
    surface.scroll_into_view_if_needed()
    page.wait_for_timeout(1000)
    if picture:
        picture.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=picture)


def run(page: Page, cell: int) -> None:
    """Put the cursor into a cell and run it."""
    page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")


def output(page: Page, cell: int, text: str) -> str:
    """Wait until a cell has printed this; what it printed."""
    told = page.locator(".jp-Notebook .jp-CodeCell").nth(cell).locator(".jp-OutputArea-output").first
    expect(told).to_contain_text(text)
    return told.inner_text().strip()


if __name__ == "__main__":
    main()
