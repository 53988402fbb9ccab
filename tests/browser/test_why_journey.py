"""Why in a real browser."""

import re

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize("theme", ["light", "dark"])
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


def test_a_reset_run_owes_nothing_to_what_came_before(visit):
    page = visit("why?trace=detect&control=reset", drawn=False)
    expect(page.locator(".st-key-figure-why-segments")).to_contain_text("depends on no earlier segment")


def test_tokens_are_text(visit):
    page = visit("why?trace=hostile", drawn=False)
    expect(page.get_by_role("button", name="Explain this run")).to_be_visible()
    assert page.evaluate("window.hacked") is None
