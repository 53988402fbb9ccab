"""Facts in a real browser."""

import re

import pytest
from looks import THEMES
from playwright.sync_api import expect

FIGURES = ("survival", "ledger", "readable", "used", "interference")


@pytest.mark.parametrize("theme", THEMES)
def test_the_life_of_facts_is_on_the_first_screen(visit, picture, theme):
    page = visit("facts?trace=detect", theme=theme, drawn=False, size={"width": 1280, "height": 1100})
    expect(page.locator(".st-key-figure-survival")).to_contain_text(re.compile(r"% of \d+ facts are captured"))
    for name in FIGURES:
        expect(page.locator(f".st-key-figure-{name} .js-plotly-plot")).to_be_visible()
    picture(page, f"facts-{theme}")


def test_the_control_is_one_click_away(visit):
    page = visit("facts?trace=detect", drawn=False)
    page.get_by_role("radio", name="Untrained").click()
    expect(page.get_by_text("Readable (untrained)")).to_be_visible()
