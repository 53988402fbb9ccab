"""The pictures of the documentation: make pictures opens the app on the bundled runs and saves docs/pictures/*.png."""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
READY = "RMT Viz is at "
PAGES = {
    "watch": "watch?trace=qa1",
    "attention": "attention?trace=qa1",
    "memory": "memory?trace=qa1",
    "compare": "compare?trace=qa1&with=qa1.reset",
    "what-if": "what-if?trace=qa1&change=edit:284-289:John%2Bmoved%2Bto%2Bthe%2Bgarden.",
}


def main() -> None:
    folder = ROOT / "docs" / "pictures"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "rmt_viz", "--no-browser"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = next(line for line in process.stdout if line.startswith(READY)).removeprefix(READY).strip()
        program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"]
            )
            for name, path in PAGES.items():
                page = browser.new_page(viewport={"width": 1280, "height": 720}, color_scheme="light")
                page.goto(f"{address}{path}")
                page.locator(".surface[data-drawn]").wait_for(timeout=120_000)
                page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=120_000)
                page.wait_for_timeout(1500)  # a replay may still be on its way
                page.screenshot(path=folder / f"{name}-light.png")
                page.close()
                print(f"{name}-light.png")
            browser.close()
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
