"""A journey through the Cost page in a real browser."""

import re

from playwright.sync_api import expect

PATIENCE_MS = 120_000  # the first figure brings Plotly with it


def figure(page, finding: str):
    """What a screen reader says of a figure holds its finding."""
    return page.get_by_role("figure", name=re.compile(re.escape(finding)))


def test_counting_otherwise(visit, picture):
    page = visit("cost", drawn=False, accept_downloads=True)
    expect(figure(page, "OPT-125M: full attention takes ×295 the operations of RMT")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator(".js-plotly-plot")).to_have_count(4)
    expect(page.locator(".ytick", has_text="2,097,152 tokens")).to_be_visible()
    picture(page, "cost")
    page.get_by_text("causal half only").click()
    expect(figure(page, "full attention takes ×153")).to_be_visible()
    page.wait_for_url("**causal=true*")
    expect(page.locator(".ytick", has_text="as chosen above")).to_be_visible()
    page.reload()
    expect(figure(page, "full attention takes ×153")).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save the numbers as CSV: conventions").click()
    numbers = waiting.value.path().read_text()
    assert "OPT-175B" in numbers.splitlines()[0] and "294.8" in numbers


def test_the_page_in_both_themes(visit, picture):
    for theme in ("light", "dark"):
        page = visit("cost", drawn=False, theme=theme)
        expect(page.locator(".js-plotly-plot")).to_have_count(4, timeout=PATIENCE_MS)
        ground = page.locator(".js-plotly-plot .bg, .js-plotly-plot .main-svg").first
        assert ground.evaluate("node => getComputedStyle(node).backgroundColor") == (
            "rgb(255, 255, 255)" if theme == "light" else "rgb(16, 20, 27)"
        )
        picture(page, f"cost-{theme}")
