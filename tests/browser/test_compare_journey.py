"""Journeys through the Compare page."""

import re

from playwright.sync_api import expect

DETECT = "Detect: a place, whoever is asked for"


def drawn(page, segment: int) -> None:
    expect(page.locator(".surface")).to_have_attribute("data-drawn", str(segment))


def test_trained_and_untrained_on_one_cursor(visit, picture):
    page = visit("compare?trace=detect&with=detect.untrained")
    expect(page.locator(".side .name")).to_have_text([f"{DETECT}, 12 segments", f"{DETECT}, 12 segments, untrained"])
    assert page.locator(".panel.spine").count() == page.locator(".panel.tokens").count() == 2
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    drawn(page, 7)
    for sentence in page.locator(".sentence").all():
        expect(sentence).to_contain_text("Segment 7 of 12")
    page.wait_for_url("**segment=7**")
    assert "with=detect.untrained" in page.url
    picture(page, "compare-watch")


def test_bars_of_both_have_one_scale(visit):
    page = visit("compare?trace=detect&with=detect.untrained")
    scales = page.locator(".panel.spine svg").evaluate_all(
        "(nodes) => nodes.map((node) => [...node.querySelectorAll('text')].map((t) => t.textContent)"
        ".filter((t) => t.startsWith('0–')).join())"
    )
    assert len(scales) == 2 and scales[0] == scales[1]


def test_memory_and_loss_can_be_compared(visit, picture):
    page = visit("compare?trace=detect&with=detect.untrained")
    page.get_by_role("button", name="Memory", exact=True).click()
    page.wait_for_url("**show=memory**")
    page.locator(".panel.paths svg[role=img]").nth(1).wait_for()
    expect(page.locator(".panel.paths .note").first).to_contain_text("one plane for both runs")
    axes = [node.text_content() for node in page.locator(".panel.paths svg[role=img]").all()]
    assert axes[0] == axes[1], "ticks and variance of one plane"
    picture(page, "compare-memory")
    page.get_by_role("button", name="Loss", exact=True).click()
    expect(page.locator(".panel.curves h2")).to_have_text(re.compile(r"P\(answer\) at the end: 1.00 against 0"))
    assert page.locator(".panel.curves").count() == 1, "one figure for both"
    picture(page, "compare-loss")


def test_a_run_that_is_over_says_so(visit):
    page = visit("compare?trace=memorize&with=detect&segment=8")
    page.keyboard.press("ArrowRight")
    drawn(page, 9)
    expect(page.locator(".sentence").first).to_have_text("This run ends at segment 8.")
    expect(page.locator(".sentence").nth(1)).to_contain_text("Segment 9 of 12")
    expect(page.locator(".panel.tokens").first).to_contain_text("This run ends at segment 8.")
    page.keyboard.press("ArrowLeft")
    drawn(page, 8)
    expect(page.locator(".sentence").first).to_contain_text("Segment 8 of 8")


def test_another_run_is_chosen_in_the_sidebar(visit, choose):
    page = visit("compare?trace=detect&with=detect.untrained&segment=3")
    choose(page, re.compile("Compare with"), f"Reset: {DETECT}, 12 segments")
    page.wait_for_url("**with=detect.reset**")
    drawn(page, 3)
    expect(page.locator(".side .name").nth(1)).to_have_text(f"{DETECT}, 12 segments, reset")
