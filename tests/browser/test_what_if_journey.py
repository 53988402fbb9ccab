"""What if in a real browser: edit the fact, see the answer flip, share the link."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from looks import THEMES
from playwright.sync_api import expect

PATIENCE_MS = 240_000  # torch is loaded and a run read again, on a busy machine
FLIPPED = re.compile(
    r"The answer turns from \w+ \([\d.]+\) to office \([\d.]+\); the memories differ from segment \d+ on"
)


def test_edit_the_fact_see_the_answer_flip_share_the_link(visit, picture):
    page = visit("what-if?trace=detect")
    title = page.get_by_role("heading", level=3)
    expect(title).to_contain_text("to garden")
    expect(page.locator(".surface .side")).to_have_count(2)
    fact = page.get_by_role("textbox", name="Text", exact=True)
    fact.fill(re.sub(r"\w+\.$", "office.", fact.input_value()))
    fact.press("Enter")
    page.get_by_role("button", name="Try it").click()
    expect(title).to_contain_text(FLIPPED, timeout=PATIENCE_MS)
    change = parse_qs(urlsplit(page.url).query)["change"][0]
    assert change.startswith("edit:") and "office" in change
    picture(page, "what-if")

    shared = visit(f"what-if?{urlsplit(page.url).query}")
    expect(shared.get_by_role("heading", level=3)).to_contain_text(FLIPPED, timeout=PATIENCE_MS)
    segment = shared.locator(".surface").get_attribute("data-drawn")
    shared.keyboard.press("ArrowRight")
    expect(shared.locator(".surface")).not_to_have_attribute("data-drawn", segment)
    expect(shared.locator(".surface .sentence")).to_have_count(2)
    shared.wait_for_url("**segment=*")
    assert parse_qs(urlsplit(shared.url).query)["change"][0] == change, "stepping keeps the change in the address"


def test_the_answer_comes_first_and_its_control_by_itself(visit, server, picture):
    page = visit("what-if?trace=detect")
    page.goto(f"{server}/what-if?trace=detect&change=reset%4012")
    expect(page.get_by_role("heading", level=3)).to_contain_text("The answer", timeout=PATIENCE_MS)
    picture(page, "what-if-before-its-control")
    told = re.compile(r"After the same change, 32 runs with other facts answer \w+ most often \(\d+%\)")
    expect(page.get_by_test_id("stMain")).to_contain_text(told, timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    picture(page, "what-if-with-its-control")


@pytest.mark.parametrize("theme", THEMES)
def test_a_bad_change_is_a_sentence(visit, theme):
    page = visit("what-if?change=evil%20<b>x</b>", theme=theme, drawn=False)
    expect(page.get_by_role("alert")).to_contain_text("is no change")
    assert not page.locator("[data-testid=stAlert] b").count()
