"""Journeys through the Memory page."""

import json
import re

import pytest
from playwright.sync_api import expect

PATIENCE_MS = 180_000
CARDS = ("paths", "strips", "distances", "likeness", "words", "changed")


def ready(page) -> None:
    for card in ("paths", "strips", "distances", "likeness", "changed"):
        page.locator(f".panel.{card} svg[role=img]").first.wait_for()


def test_memory_in_a_plane_and_in_full_space(visit, picture):
    page = visit("memory?trace=detect")
    ready(page)
    paths = page.locator(".panel.paths")
    expect(paths.locator("h2")).to_have_text(re.compile(r"Two directions hold \d+ % of how the slots differ"))
    expect(paths.locator("svg[role=img]")).to_contain_text(re.compile(r"PC 1 · \d+ % of variance"))
    assert paths.locator("path").count() == 8, "a path for each slot"
    assert paths.locator(".here circle").count() == 8
    expect(page.locator(".panel.strips h2")).to_have_text(re.compile("Segment 5 turns memory: cosine -?0"))
    expect(page.locator(".panel.distances h2")).to_have_text(
        re.compile(r"The longest step after the first is in segment 5")
    )
    expect(page.locator(".panel.likeness h2")).to_contain_text("copies here")
    picture(page, "memory-first")


def test_slots_are_read_as_words(visit, picture):
    page = visit("memory?trace=reasoning&segment=4")
    card = page.locator(".panel.words")
    expect(card.locator("h2")).to_have_text(re.compile("Nearest to any word: slot ., to “.+” "), timeout=PATIENCE_MS)
    expect(card.locator("tbody tr")).to_have_count(8)
    expect(card.locator(".note").first).to_contain_text("near is not the same as used")
    before = card.locator("tbody").inner_text()
    page.keyboard.press("ArrowRight")
    expect(card.locator("tbody")).not_to_have_text(before)
    page.set_viewport_size({"width": 1280, "height": 1600})
    picture(page, "memory-words")


def test_a_range_is_brushed_and_found_elsewhere(visit):
    page = visit("memory?trace=detect-64&segment=22")
    ready(page)
    strips = page.locator(".panel.strips svg").bounding_box()
    step = (strips["width"] - 50) / 65
    y = strips["y"] + 40
    page.mouse.move(strips["x"] + 40 + 21.5 * step, y)
    page.mouse.down()
    page.mouse.move(strips["x"] + 40 + 23.5 * step, y, steps=4)
    page.mouse.up()
    page.wait_for_url("**range=21-23")
    changed = page.locator(".panel.changed")
    expect(changed.locator("h2")).to_contain_text(re.compile("numbers changed in segments 21–23 and not around it"))
    changed.get_by_role("spinbutton", name="segments").fill("22")
    changed.get_by_role("spinbutton", name="segments").press("Enter")
    page.wait_for_url("**range=22-23")
    changed.get_by_role("button", name=re.compile("^1 ")).click()
    expect(page.locator(".surface")).to_have_attribute("data-drawn", "1")
    changed.get_by_role("button", name="Follow the cursor").click()
    expect(changed.locator("h2")).to_contain_text("segment 1")


def test_a_slot_that_is_pinned_stands_out(visit):
    page = visit("memory?trace=reasoning&segment=4&slot=2")
    ready(page)
    accent = page.locator(".panel.paths path[stroke-width='2']")
    assert accent.count() == 1
    page.keyboard.press("Escape")
    expect(accent).to_have_count(0)


def test_clicks_go_there(visit):
    page = visit("memory?trace=detect")
    ready(page)
    picture = page.locator(".panel.distances svg image")
    picture.scroll_into_view_if_needed()
    box = picture.bounding_box()
    # the head of the page, which stays, may cover the top of the picture
    page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] - 20)
    expect(page.locator(".surface")).to_have_attribute("data-drawn", "12")


@pytest.mark.parametrize("trace", ["toy", "plain", "hostile", "memorize", "detect-64"])
def test_every_trace_has_a_memory_to_look_at(visit, trace):
    page = visit(f"memory?trace={trace}")
    ready(page)
    for card in CARDS:
        page.locator(f".panel.{card}").get_by_role("button", name="Numbers as a table").click()
    for card in ("paths", "strips", "distances", "likeness", "changed"):
        assert page.locator(f".panel.{card} tbody tr").count() >= 4
    assert page.evaluate("window.hacked") is None


def test_a_long_run_is_drawn_as_a_short_one_is(visit, picture):
    page = visit("memory?trace=long&segment=2000")
    ready(page)
    expect(page.locator(".panel.distances .note").first).to_contain_text("root mean square of neighbouring ones")
    elements = {}
    for trace in ("long", "short"):
        page = visit(f"memory?trace={trace}&segment=8")
        ready(page)
        elements[trace] = page.locator(".panel.paths svg *").count()
    print(json.dumps(elements))
    assert elements["long"] < elements["short"] + 60
    picture(page, "memory-long")
