"""The Tour: with the keyboard alone, in a hall, and by links to its steps."""

import re

from playwright.sync_api import expect

from rmt_viz.findings import tour

HERE = ".along .where"
TYPE = """(dialog) => {
  const sizes = []
  const walk = document.createTreeWalker(dialog, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement
    if (!walk.currentNode.textContent.trim() || !node.checkVisibility() || !node.getClientRects().length) continue
    sizes.push([parseFloat(getComputedStyle(node).fontSize) * (node.currentCSSZoom ?? 1), walk.currentNode.textContent])
  }
  return sizes
}"""


def at(page, slug: str) -> None:
    """Wait until a step is the one on the screen, and in the address."""
    n = tour.SLUGS.index(slug)
    expect(page.locator(HERE)).to_have_text(re.compile(rf"^{n + 1} of {len(tour.SLUGS)} · "))
    page.wait_for_url(f"**step={slug}" if n else "**/tour")


def rest(page, slug: str) -> None:
    """Wait until a step stands still: a click while the page glides to it would stop it on its way."""
    step, before = page.locator(f"[data-slug={slug}]"), None
    while (now := step.bounding_box()) != before:
        page.wait_for_timeout(300)
        before = now


def test_next_and_back_by_the_keyboard_and_a_picture_drawn_when_it_comes(visit, picture):
    page = visit("tour", drawn=False)
    page.locator("[data-slug=pieces] .surface[data-drawn]").wait_for()
    expect(page.locator("[data-slug=far] .surface")).to_have_count(0)
    at(page, "pieces")
    page.keyboard.press("ArrowLeft")  # nothing is before the first
    for slug in tour.SLUGS[1:4]:
        page.keyboard.press("ArrowRight")
        at(page, slug)
    surface = page.locator("[data-slug=replaced] .surface[data-drawn]")
    now = int(surface.get_attribute("data-drawn"))
    rest(page, "replaced")
    surface.get_by_role("button", name="Next segment").click()  # a picture that was clicked takes the arrows
    page.keyboard.press("ArrowRight")
    expect(surface).to_have_attribute("data-drawn", str(now + 2))
    at(page, "replaced")
    expect(page.locator("[data-slug=replaced] .more a").first).to_have_attribute(
        "href", re.compile(f"segment={now + 2}")
    )
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    at(page, "written")
    choice = page.locator("[data-slug=written] .choices button").last
    choice.focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-slug=written] .said")).to_contain_text(re.compile(r"^(Yes|No: .+)\. .+\.$"))
    expect(page.locator("[data-slug=written] .choices .truth")).to_have_count(1)
    picture(page, "tour-keyboard")


def test_a_step_is_a_link_and_its_symbols_light_their_blocks(visit):
    page = visit("tour?step=read", drawn=False)
    at(page, "read")
    step = page.locator("[data-slug=read]")
    expect(step.get_by_role("heading", level=2).first).to_be_in_viewport()
    step.get_by_role("button", name="the memory before segment s").focus()
    lit = step.locator(".diagram g.lit")
    expect(lit).to_contain_text(["memory s−1"])
    step.get_by_role("button", name="what the model reads").first.hover()
    expect(lit).to_contain_text(["memory s−1", "tokens of s"])
    page.get_by_role("link", name="Farther still").click()
    at(page, "farther")
    page.locator("[data-slug=farther] .chart svg circle").first.wait_for()
    step.get_by_role("link", name="Open this view in Watch").click()
    page.wait_for_url("**trace=qa1&segment=12&colour=read")
    expect(page.locator(".sentence")).to_contain_text("Segment 12 of 12")


def test_in_a_hall_there_is_picture_and_sentence_in_large_type(visit, picture):
    page = visit("tour?step=replaced", drawn=False, theme="dark")
    at(page, "replaced")
    page.locator("[data-slug=replaced] .surface[data-drawn]").wait_for()
    page.keyboard.press("f")
    hall = page.locator("dialog.presenter")
    expect(hall.locator(".line")).to_contain_text("moves again")
    expect(hall.locator(".spine svg")).to_be_visible()
    expect(hall.get_by_role("button", name="Export")).to_be_hidden()
    small = [told for told in hall.evaluate(TYPE) if told[0] < 18]
    assert not small, small
    picture(page, "tour-hall")
    spine = hall.locator(".spine svg")
    box = spine.bounding_box()
    spine.click(position={"x": box["width"] - 24, "y": 30})  # the last segment, in the picture's larger pixels
    expect(hall.locator(".surface")).to_have_attribute("data-drawn", re.compile(r"^1[12]$"))
    page.keyboard.press("Escape")  # the picture gives the keys back
    page.keyboard.press("PageUp")
    expect(hall.locator(".line")).to_contain_text("After segment 2")
    for _ in range(2):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    expect(hall.locator(".passage svg.lanes .slot")).to_have_count(8)
    page.keyboard.press("Escape")
    expect(hall).to_have_count(0)
    at(page, "crosses")
    switch = page.locator("[data-slug=crosses]")
    expect(switch.locator(".claim")).to_contain_text("Change Mary’s latest fact")
    switch.get_by_role("button", name="Reset").click()
    expect(switch.locator(".claim")).to_contain_text("which is wrong")
    switch.get_by_role("button", name="Fact changed").click()
    expect(switch.locator(".claim")).to_contain_text("instead of")
