"""The film of the first page, assets/film.webm: a fact dragged, memory reset, a fact changed, the run played.

`make film` makes it in some minutes, with Chromium and the package `av`. What is filmed is the app itself. The page's
clock is stepped from picture to picture, so that a slow machine films as smoothly as a fast one; where the page waits
for the model, the film shows a second of it at most.
"""

import argparse
import os
import shutil
import tempfile
import time
from io import BytesIO
from pathlib import Path

import av
from PIL import Image
from playwright.sync_api import Locator, Page, sync_playwright

from benchmarks.app import FLAGS, NAMES, serving

ROOT = Path(__file__).parents[1]
FILM = ROOT / "assets" / "film.webm"
MOST_BYTES = 4_000_000
SIZE = {"width": 1280, "height": 720}
RATE = 20  # pictures a second
WAIT = 1.0  # seconds of waiting for the model that are shown
READ = 2.4  # seconds in which a caption can be read
SIGNS = """() => {
  const [caption, arrow] = ["p", "div"].map((tag) => document.body.appendChild(document.createElement(tag)))
  caption.id = "caption"
  caption.style = "position:fixed;left:50%;bottom:14px;transform:translateX(-50%);z-index:99;margin:0;padding:9px 22px;"
    + "border-radius:10px;background:#1a2233;color:#fff;font:600 21px 'Source Sans',sans-serif;white-space:nowrap"
  arrow.style = "position:fixed;z-index:99;width:22px;height:22px;border-radius:50%;margin:-11px;pointer-events:none;"
    + "background:#3557d466;border:2px solid #3557d4;left:640px;top:600px"
  const follow = ({ x, y }) => Object.assign(arrow.style, { left: `${x}px`, top: `${y}px` })
  addEventListener("mousemove", follow, true)
}"""


class Film:
    """A film of a page: pictures, each with the time for which it is shown, in pictures of RATE."""

    def __init__(self, page: Page):
        self.page, self.pictures, self.at, self.waited = page, [], (640.0, 600.0), 0.0

    def step(self, seconds: float = 1 / RATE) -> None:
        """Let the page's clock go on and take a picture that is shown for that long."""
        self.page.clock.run_for(round(1000 * seconds))
        self.pictures.append((self.page.screenshot(), max(1, round(seconds * RATE))))

    def say(self, caption: str) -> None:
        self.page.locator("#caption").evaluate("(node, text) => (node.textContent = text)", caption)

    def move(self, x: float, y: float, seconds: float = 0.7) -> None:
        """Move the mouse in a straight line, slower at both ends."""
        (x0, y0), n = self.at, max(1, round(seconds * RATE))
        for i in range(1, n + 1):
            share = (i / n) ** 2 * (3 - 2 * i / n)
            self.page.mouse.move(x0 + share * (x - x0), y0 + share * (y - y0))
            self.step()
        self.at = (x, y)

    def to(self, target: Locator, share: float = 0.5) -> None:
        """Move the mouse onto an element, so far down in it."""
        box = target.bounding_box()
        self.move(box["x"] + box["width"] / 2, box["y"] + share * box["height"])

    def click(self, target: Locator) -> None:
        self.to(target)
        self.page.mouse.down()
        self.page.mouse.up()
        self.until_read()

    def until_read(self) -> None:
        """Film until the page shows the text as it stands, WAIT seconds of it at most.

        Here the page's clock goes with the true one, since the page says how long it took.
        """
        ready, began = self.page.locator(".experiment[data-state=ready]"), time.monotonic()
        self.step()
        while not ready.count():
            passed, began = time.monotonic() - began, time.monotonic()
            self.page.clock.run_for(max(1, round(1000 * passed)))
            if self.waited < WAIT:
                self.pictures.append((self.page.screenshot(), 1))
                self.waited += 1 / RATE
        self.waited = 0.0
        self.step()

    def save(self, path: Path) -> None:
        """Write the pictures as VP9 in WebM."""
        with av.open(path, "w", format="webm") as file:
            stream = file.add_stream("libvpx-vp9", rate=RATE, options={"crf": "34", "b": "0", "cpu-used": "4"})
            stream.width, stream.height, stream.pix_fmt = SIZE["width"], SIZE["height"], "yuv420p"
            number = 0
            for picture, times in self.pictures:
                image = Image.open(BytesIO(picture)).convert("RGB")
                for _ in range(times):
                    frame = av.VideoFrame.from_image(image)
                    frame.pts, number = number, number + 1
                    file.mux(stream.encode(frame))
            file.mux(stream.encode())


def shoot(page: Page) -> Film:
    """Do the experiment, as a visitor would."""
    film, button = Film(page), lambda name: page.get_by_role("button", name=name, exact=True)
    page.evaluate(SIGNS)
    page.clock.pause_at(page.evaluate("Date.now()") + 1000)
    film.say("A text in segments: only 8 memory tokens cross from one to the next")
    film.step(READ)
    film.say("Drag a fact into another segment")
    film.to(page.locator(".chip").last)
    page.mouse.down()
    film.to(page.locator(".card[data-segment='2']"), 0.6)
    page.mouse.up()
    film.say("The text is read again: the fact enters memory where it is told now")
    film.until_read()
    film.step(READ)
    film.say("Reset memory at every boundary …")
    film.click(button("Reset"))
    film.say("… and nothing crosses: the answer is gone")
    film.step(READ)
    film.say("Change the fact that is asked for …")
    film.click(button("Fact changed"))
    film.say("… and the answer changes with it: memory is its cause")
    film.step(READ)
    film.click(button("With memory"))
    film.say("Play: each fact takes its slots, is kept through noise, and flows into the answer")
    film.click(page.locator(".player .play"))
    while page.locator(".experiment[data-playing]").count():
        film.step()
    film.step(READ)
    return film


def warm_up(page: Page) -> None:
    """Edit the text and take the edit back, so that the model is open when the film begins."""
    slider, ready = page.get_by_label("Segments of noise before the question"), page.locator("[data-state=ready]")
    slider.press("ArrowRight")
    page.locator(".experiment:not([data-state=ready])").wait_for()
    ready.wait_for()
    page.get_by_role("button", name="Start over").click()
    page.wait_for_timeout(1500)
    ready.wait_for()


def main() -> None:
    """Film the app with the assets that ship, and save the film."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=FILM)
    out = parser.parse_args().out
    program = next(filter(None, map(shutil.which, NAMES)), None)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        assets = Path(folder)
        for part in (ROOT / "assets").iterdir():
            os.symlink(part, assets / part.name)
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        with serving(assets) as (address, _):
            page = browser.new_page(viewport=SIZE)
            page.set_default_timeout(300_000)
            page.clock.install()
            page.goto(address)
            page.locator(".experiment[data-state=ready]").wait_for()
            warm_up(page)
            film = shoot(page)
        browser.close()
    film.save(out)
    size = out.stat().st_size
    print(f"{out}: {size / 1e6:.2f} MB, {sum(times for _, times in film.pictures) / RATE:.0f} seconds")
    if size > MOST_BYTES:
        raise SystemExit(f"The film is larger than {MOST_BYTES / 1e6:.0f} MB; raise crf.")


if __name__ == "__main__":
    main()
