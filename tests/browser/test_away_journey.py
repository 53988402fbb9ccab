"""A browser that is away for minutes and comes back, as a laptop that slept: on demand, RMT_AWAY=600 says how long."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.skipif("RMT_AWAY" not in os.environ, reason="takes minutes: RMT_AWAY=600 runs it")
PATIENCE_MS = 600_000
TEXT = "Sandra travelled to the kitchen. " + "The report was long and nobody read it. " * 20 + "Where is Sandra?"


def below(pid: int) -> list[int]:
    """The processes that a process has started, and theirs (Linux)."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(child) for child in children.read_text().split()] if children.exists() else []
    return [*found, *(one for child in found for one in below(child))]


def chromium() -> list[int]:
    """The processes of this test's browser."""
    command = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in below(os.getpid())}
    return [pid for pid, line in command.items() if b"chrom" in line.split(b"\0")[0]]


def test_a_browser_that_was_away_goes_on_where_it_was(visit):
    """All of its processes stand still, so the server loses it: sessions, jobs and connections end. Then they go on."""
    page = visit("watch")
    page.set_default_timeout(PATIENCE_MS)
    page.get_by_role("button", name="Your own text").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Text").fill(TEXT)
    dialog.get_by_role("button", name="Run").click()
    page.wait_for_url("**trace=live-*", timeout=PATIENCE_MS)
    page.keyboard.press("Home")
    expect(page.locator(".strip")).to_contain_text("Sandra travelled to the kitchen.")
    run = re.search(r"trace=(live-[\w-]+)", page.url)[1]
    still = chromium()
    assert still, "the browser's processes were not found"
    for pid in still:
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(float(os.environ["RMT_AWAY"]))
    finally:
        for pid in still:
            os.kill(pid, signal.SIGCONT)
    page.keyboard.press("ArrowRight")  # a step asks the routes alone
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_test_id("stConnectionStatus")).to_have_count(0, timeout=PATIENCE_MS)
    expect(page).to_have_url(re.compile(f"trace={run}.*segment=2|segment=2.*trace={run}"), timeout=PATIENCE_MS)
    assert not page.get_by_test_id("stException").count() and not page.get_by_test_id("stAlert").count()
    page.reload()
    page.locator(".surface[data-drawn]").wait_for()
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Live run")
    page.keyboard.press("Home")
    expect(page.locator(".strip")).to_contain_text("Sandra travelled to the kitchen.")
