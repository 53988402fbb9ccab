"""The tour with the keyboard alone."""

import re

from playwright.sync_api import expect

STEPS = 7
PATIENCE = 80  # presses after which something cannot be reached
FOCUSED = """() => {
  let node = document.activeElement
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement
  return (node?.textContent ?? "").trim()
}"""


def reach(page, name: str, key: str = "Tab") -> None:
    """Press until the element of that text has the focus; nothing is clicked, nothing is focused by the test."""
    for _ in range(PATIENCE):
        if page.evaluate(FOCUSED) == name:
            return
        page.keyboard.press(key)
    raise AssertionError(f"the keyboard does not come to {name!r}")


def test_a_run_through_with_the_keyboard_only(visit, picture):
    page = visit("tour", drawn=False)
    surface = page.locator(".picture .surface[data-drawn]")
    for step in range(1, STEPS + 1):
        expect(page.locator(".tour h2").first).to_have_text(re.compile(rf"^{step}\. "))
        expect(surface).to_have_count(0)
        reach(page, page.locator(".choices button").last.text_content())
        page.keyboard.press("Enter")
        expect(page.locator(".said")).to_contain_text(re.compile(r"^(Yes|No: .+)\. .+\.$"))
        expect(page.locator(".choices .truth")).to_have_count(1)
        surface.wait_for()
        if step == 2:
            now = int(surface.get_attribute("data-drawn"))
            page.keyboard.press("ArrowRight")
            expect(surface).to_have_attribute("data-drawn", str(now + 1))
            picture(page, "tour-keyboard")
        if step < STEPS:
            reach(page, "Next", "Shift+Tab")
            page.keyboard.press("Enter")
            page.wait_for_url(f"**step={step + 1}")
    assert "step=7" in page.url


def test_a_step_is_a_link_and_symbols_light_their_blocks(visit):
    page = visit("tour?step=5", drawn=False)
    expect(page.locator(".tour h2").first).to_have_text("5. A question is answered")
    symbol = page.get_by_role("button", name="the memory before segment s")
    symbol.focus()
    lit = page.locator(".diagram g.lit")
    expect(lit).to_have_count(1)
    expect(lit).to_contain_text("memory s−1")
    page.get_by_role("button", name="what the model reads").first.hover()
    expect(lit).to_contain_text(["memory s−1", "tokens of s"])
    page.get_by_role("button", name="Show me without a guess").click()
    page.get_by_role("link", name="Open in Watch").click()
    page.wait_for_url("**trace=qa1&segment=12&colour=read")
    expect(page.locator(".sentence")).to_contain_text("Segment 12 of 12")
