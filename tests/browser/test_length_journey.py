"""A journey through the Length page in a real browser."""

import re

from playwright.sync_api import expect

PATIENCE_MS = 300_000


def figure(page, finding: str):
    return page.get_by_role("figure", name=re.compile(re.escape(finding)))


def test_from_a_point_to_its_run_and_a_score_of_ones_own(visit, picture, go):
    page = visit("length", drawn=False)
    expect(figure(page, "Detect: trained on 7 segments")).to_be_visible(timeout=PATIENCE_MS)
    picture(page, "length")
    page.get_by_role("radio", name="Two recipes").click()
    page.wait_for_url("**compare=Two+recipes*")
    expect(figure(page, "Detect at 7 segments: ")).to_be_visible()
    page.get_by_role("radio", name="Tokens").click()
    expect(page.locator(".xtitle", has_text="length (segments)")).to_have_count(0)
    expect(page.locator(".xtitle", has_text="length (tokens)")).to_be_visible()

    streams = page.locator(".scatterlayer .trace", has=page.locator(".points")).last
    streams.locator(".point").nth(1).click(force=True)
    expect(page.get_by_role("combobox", name="Click a point above, or choose one")).to_have_value(
        re.compile("12 segments")
    )
    page.get_by_role("link", name="Open the recorded run of 12 segments").click()
    page.wait_for_url("**trace=detect*")
    expect(page.locator(".surface")).to_have_attribute("data-drawn", re.compile(r"\d+"))

    go(page, "length")
    page.get_by_role("button", name="Score", exact=True).click()
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible(timeout=PATIENCE_MS)
    cancel.click()
    expect(cancel).to_have_count(0, timeout=PATIENCE_MS)
