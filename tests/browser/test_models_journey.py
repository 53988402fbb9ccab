"""A journey through the Models page in a real browser."""

import json

from playwright.sync_api import expect

PATIENCE_MS = 300_000  # the first look imports torch, and a busy machine is slow, not wrong
HOSTILE = "<img src=x onerror='window.hacked = 1'> **b**"


def look_at(page, name: str) -> None:
    page.get_by_role("textbox", name="Folder, or hub name").fill(name)
    page.get_by_role("button", name="Look at it").click()


def test_a_checkpoint_is_looked_at_recorded_and_watched(visit, picture, assets):
    page = visit("models", drawn=False, accept_downloads=True)
    expect(page.get_by_text("What can be looked at")).to_be_visible()
    look_at(page, "../outside")
    told = page.locator("[data-testid=stAlert]").first
    expect(told).to_contain_text("lies outside of", timeout=PATIENCE_MS)
    look_at(page, HOSTILE)
    expect(told).to_contain_text(f"There is no {HOSTILE}", timeout=PATIENCE_MS)
    assert page.evaluate("window.hacked") is None

    page.get_by_role("button", name="Detect", exact=True).click()
    report = page.locator(".report")
    expect(report).to_contain_text("record a text with it.", timeout=PATIENCE_MS)
    expect(report.locator(".block")).to_have_text(["[CLS]", "8 memory", "[SEP]", "64 tokens", "[SEP]"])
    picture(page, "models-report")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Report as JSON").click()
    found = waiting.value.path().read_text()
    assert json.loads(found)["ready"] and str(assets) not in found
    page.get_by_role("button", name="Record", exact=True).click()
    page.wait_for_url("**trace=live-*", timeout=PATIENCE_MS)
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Live run · checkpoint detect")

    page.get_by_role("link", name="Models").click()
    drop = page.locator("[data-testid=stFileUploader] input")
    drop.set_input_files(assets / "traces" / "damaged.trace.safetensors")
    expect(page.get_by_text("The file is not a whole trace")).to_be_visible()
    drop.set_input_files(assets / "traces" / "hostile.trace.safetensors")
    page.wait_for_url("**trace=live-*")
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Uploaded · checkpoint toy")
    assert page.evaluate("window.hacked") is None
