"""Why in a real browser."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from looks import THEMES
from playwright.sync_api import expect


@pytest.mark.parametrize("theme", THEMES)
def test_what_made_the_answer_is_on_the_first_screen(visit, picture, theme):
    page = visit("why?trace=detect", theme=theme, drawn=False, size={"width": 1280, "height": 1100})
    expect(page.locator(".st-key-figure-why-segments")).to_contain_text(re.compile(r"\w+ depends most on segment \d+"))
    for name in ("why-segments", "why-local", "why-slots"):
        expect(page.locator(f".st-key-figure-{name} .js-plotly-plot")).to_be_visible()
    expect(page.locator(".credit section")).to_have_count(4)
    strongest = page.locator(".credit .token[style*='font-weight']")
    expect(strongest.first).to_be_visible()
    expect(page.get_by_text("completeness gap")).to_be_visible()
    picture(page, f"why-{theme}")


def test_a_line_of_the_path_is_cut_and_the_answer_moves(visit, picture):
    page = visit("why?trace=qa1", drawn=False)
    path = page.locator(".path")
    expect(path.locator("h3")).to_contain_text("Told otherwise, “John moved to the garden.”")
    path.locator(".edge").last.click()  # the strongest lie on top
    expect(path.get_by_role("status")).to_contain_text(
        re.compile(r"Cut: .*goes from 1\.00 to 0\.\d+; with memory reset")
    )
    expect(path.locator(".answers")).to_contain_text("with the cut, memory reset")
    page.wait_for_url("**cut=*")
    shared = visit(f"why?{urlsplit(page.url).query}", drawn=False)
    expect(shared.locator(".path .edge[aria-pressed=true]")).to_have_count(1)
    picture(shared, "why-cut")
    shared.locator(".path .edge[aria-pressed=false]").first.press("Enter")
    expect(shared.locator(".path").get_by_role("status")).to_contain_text(
        "2 lines together. P(hallway)", timeout=240_000
    )
    shared.get_by_role("button", name="Mend all cuts").click()
    expect(shared.locator(".path .edge[aria-pressed=true]")).to_have_count(0)
    words = shared.locator(".credit p").first
    words.focus()
    shared.keyboard.press("ArrowRight")
    expect(words.locator(".here")).to_have_count(1)
    link = shared.get_by_role("link", name="Tell it so in What if")
    expect(link).to_have_count(1)  # the page without cuts is there
    # A page that is still being made when it is left writes its own address once more.
    expect(shared.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    link.click()
    expect(shared).to_have_title("What if · RMT Viz")
    shared.wait_for_url("**change=*")
    assert parse_qs(urlsplit(shared.url).query)["change"][0].startswith("edit:284-289:John+moved+to+the+garden")


def test_a_reset_run_owes_nothing_to_what_came_before(visit):
    page = visit("why?trace=detect&control=reset", drawn=False)
    expect(page.locator(".st-key-figure-why-segments")).to_contain_text("depends on no earlier segment")


def test_tokens_are_text(visit):
    page = visit("why?trace=hostile", drawn=False)
    expect(page.get_by_role("button", name="Explain this run")).to_be_visible()
    assert page.evaluate("window.hacked") is None
