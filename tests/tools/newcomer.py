"""A newcomer's way, tried and timed: from an empty folder to a checkpoint's memory on the screen in five commands.

python tests/tools/newcomer.py [--log FILE] [--picture FILE.png] builds the wheel, then runs the commands in an empty
folder with an empty home and nothing of this checkout but the wheel, a checkpoint that the wheel does not hold and a
text. The picture is taken by a Chromium from outside.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from try_package import READY, ROOT, TORCH, build, environment

CHECKPOINT = ROOT / "assets" / "checkpoints" / "detect-long"  # stands for one's own; the wheel does not hold it
TEXT = """Mary went to the garden. The committee met again in the morning, heard eleven witnesses, and adjourned
without a vote; the newspapers called it a disgrace and then spoke of other things. Ships came in, ships went out, and
the harbour was quiet for the rest of the week. It rained all night in the valley. Where is Mary?"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    with tempfile.TemporaryDirectory(prefix="rmt-viz-newcomer-") as name:
        folder = Path(name)
        wheel = build(folder)
        home, here = folder / "home", folder / "here"
        home.mkdir()
        here.mkdir()
        shutil.copytree(CHECKPOINT, here / "my-checkpoint")
        (here / "letter.txt").write_text(TEXT)
        shutil.copy(wheel, here)
        settings = environment() | {"HOME": str(home)}
        settings.pop("OMP_NUM_THREADS")
        commands = [
            "python3 -m venv env",
            f"env/bin/pip install {TORCH} './{wheel.name}[viz]'",
            "env/bin/rmt inspect my-checkpoint",
            "env/bin/rmt record my-checkpoint --text-file letter.txt --detail thin --out letter.trace.safetensors",
        ]
        total = 0.0
        for command in commands:
            began = time.monotonic()
            done = subprocess.run(["bash", "-c", command], cwd=here, env=settings, capture_output=True, text=True)
            total += time.monotonic() - began
            say(f"$ {command}\n{_short(done.stdout + done.stderr)}\n# {time.monotonic() - began:.0f} s")
            if done.returncode:
                sys.exit(done.returncode)
        command, began = "env/bin/rmt-viz letter.trace.safetensors", time.monotonic()
        started = [*command.split(), "--no-browser"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        process = subprocess.Popen(started, cwd=here, env=settings, **pipes)
        try:
            line = next(line for line in process.stdout if line.startswith(READY))
            address = line.removeprefix(READY).strip()
            sentence = look(address, arguments.picture)
            total += time.monotonic() - began
            say(
                f"$ {command}\n{line.strip()}\n# {time.monotonic() - began:.0f} s until the page is drawn: “{sentence}”"
            )
        finally:
            process.terminate()
            process.wait(30)
        say(f"# {total:.0f} s in all, on {os.cpu_count()} cores under a load of {os.getloadavg()[1]:.0f}")
    if arguments.log:
        arguments.log.write_text("\n".join(lines) + "\n")


def look(address: str, picture: Path | None) -> str:
    """What the page says of the segment that it opens on."""
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--headless", "--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.goto(address)
        page.locator(".surface[data-drawn]").wait_for(timeout=120_000)
        sentence = page.locator(".sentence").first.inner_text()
        if picture:
            page.wait_for_timeout(1000)
            page.screenshot(path=picture)
        browser.close()
    return sentence


def _short(text: str) -> str:
    """The first and last lines of an output."""
    lines = [line[:160] for line in text.strip().splitlines() if line.strip()]
    return "\n".join(lines if len(lines) <= 12 else [*lines[:4], "…", *lines[-6:]])


if __name__ == "__main__":
    main()
