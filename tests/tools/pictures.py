"""The pictures of the documentation: make pictures opens the app on the bundled runs and saves docs/pictures/*.webp.

python tests/tools/pictures.py [NAME ...] [--to FOLDER] takes every page of the menu, or those named, in both themes.
"""

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from rmt_viz.shelf import menu  # noqa: E402

READY = "RMT Viz is at "
PATIENCE_MS = 600_000
SIZE = {"width": 1280, "height": 800}
FIRST = {  # page -> what its address asks for; the others open as they are
    "watch": "?trace=qa1",
    "attention": "?trace=qa1",
    "memory": "?trace=qa1",
    "compare": "?trace=qa1&with=qa1.reset",
    "facts": "?trace=qa1",
    "what-if": "?trace=qa1&change=edit:284-289:John%2Bmoved%2Bto%2Bthe%2Bgarden.",
    "why": "?trace=qa1",
}
BUSY = ("[data-testid=stSkeleton]", ".surface:not([data-drawn])", ".experiment:not([data-state=ready])")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", choices=[[], *menu.ALL])
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "pictures")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "rmt_viz", "--no-browser"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = next(line for line in process.stdout if line.startswith(READY)).removeprefix(READY).strip()
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"]
            )
            for theme in ("light", "dark"):
                for name in arguments.names or menu.ALL:
                    context = browser.new_context(viewport=SIZE, color_scheme=theme)
                    context.set_default_timeout(PATIENCE_MS)
                    page = context.new_page()
                    page.goto(f"{address}{'' if name == menu.FIRST.path else name}{FIRST.get(name, '')}")
                    settle(page, menu.ALL[name].name)
                    if act := ACTIONS.get(name):
                        act(page)
                        page.mouse.move(SIZE["width"] - 2, SIZE["height"] - 2)  # off the button and its tip
                        settle(page, menu.ALL[name].name)
                    save(page, arguments.to / f"{name}-{theme}.webp")
                    context.close()
            browser.close()
    finally:
        process.terminate()
        process.wait(30)


def settle(page: Page, title: str) -> None:
    """Wait until the page script is done and what it drew is drawn."""
    page.wait_for_function("(title) => document.title.startsWith(title)", arg=title)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    for wrong in BUSY:
        page.locator(wrong).first.wait_for(state="detached")
    page.wait_for_timeout(2500)  # a replay may still be on its way, and figures fade in


def look(page: Page) -> None:
    """Have a shipped model looked at, so that its report is there."""
    page.get_by_role("button", name="Detect", exact=True).click()
    page.get_by_text("Record your own text").wait_for()


def replayed(page: Page) -> None:
    """Wait for the whole map, which the model makes."""
    page.locator("[data-whole]").wait_for()


ACTIONS = {"models": look, "attention": replayed}


def save(page: Page, path: Path) -> None:
    """Save what the window shows as WebP, which is a third of a PNG."""
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        picture.convert("RGB").save(path, quality=82, method=6)
    print(path.name, path.stat().st_size, flush=True)


if __name__ == "__main__":
    main()
