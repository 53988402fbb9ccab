"""Fixtures of browser tests: a Chromium on the running app, whose pages must not fail or load anything from outside."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rmt_viz.shelf import menu

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "test-output" / "screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 60_000  # a busy machine is slow, not wrong
HALL = {"width": 1280, "height": 720}


@pytest.fixture(scope="session")
def browser():
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium on this machine: install chromium to run the journeys")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS / 2)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, server):
    """visit(query="", size=..., theme="light") opens the app as a new visitor; an error on the page fails the test."""
    contexts, wrong = [], []

    def open_page(query="", *, size=HALL, theme="light", drawn=True, **options):
        context = browser.new_context(viewport=size, color_scheme=theme, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"page error: {error}"))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" and "404" not in m.text else None)
        page.on("request", lambda request: wrong.append(request.url) if _leaves(request.url, server) else None)
        page.goto(f"{server}/{query}")
        if drawn:
            page.locator(".surface[data-drawn]").wait_for()
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not wrong, wrong


def _leaves(url: str, server: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != urlsplit(server).netloc


@pytest.fixture
def choose():
    """choose(page, box, name) selects an option of a select box, whose list closes when the page moves under it."""
    from playwright.sync_api import TimeoutError as Late

    def take(page, box, name):
        field, option = page.get_by_role("combobox", name=box), page.get_by_role("option", name=name)
        field.scroll_into_view_if_needed()
        field.focus()
        for patience in (2_000, 5_000, 10_000, PATIENCE_MS):
            page.wait_for_timeout(300)  # the page that focus has moved stands still again
            field.press("ArrowDown")  # a click would scroll, too
            try:
                return option.click(timeout=patience)
            except Late:
                if field.get_attribute("aria-expanded") == "true":
                    page.keyboard.press("Escape")
        raise AssertionError(f"no option {name} in {box}")

    return take


@pytest.fixture
def go():
    """go(page, path) opens a page by the menu on top."""

    def by_menu(page, path):
        section = next(name for name, entries in menu.SECTIONS.items() if menu.ALL[path] in entries)
        page.get_by_test_id("stTopNavSection").filter(has_text=section).click()
        page.get_by_role("menuitem", name=menu.ALL[path].question).click()

    return by_menu


@pytest.fixture
def picture():
    """picture(page, name) saves a screenshot as test output, to be looked at; RMT_PICTURES=0 where nobody will."""
    if os.environ.get("RMT_PICTURES") == "0":
        return lambda page, name: None
    PICTURES.mkdir(parents=True, exist_ok=True)
    return lambda page, name: page.screenshot(path=PICTURES / f"{name}.png")
