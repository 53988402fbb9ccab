"""Journeys through the Attention page."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from foreign import tiny
from playwright.sync_api import expect

from rmt.checkpoint import load, save
from rmt.recorder import record

ROOT = Path(__file__).parents[2]
PATIENCE_MS = 180_000  # the first map imports torch
REPLAYED = """(segment) => new Promise((done) => {
  const roots = [document, ...[...document.querySelectorAll("*")].map((node) => node.shadowRoot).filter(Boolean)]
  const body = roots.map((root) => root.querySelector(".attention .body")).find(Boolean)
  const begin = performance.now()
  const there = () => body.dataset.whole === String(segment)
  const look = () => there() ? done(performance.now() - begin) : requestAnimationFrame(look)
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }))
  look()
})"""


def whole(page, segments: str) -> None:
    """Wait until the whole maps of these segments are on the screen."""
    page.locator(f".attention .body[data-whole='{segments}']").wait_for(timeout=PATIENCE_MS)


def test_a_whole_map_is_replayed_in_labelled_blocks(visit, picture):
    page = visit("attention?trace=detect")
    card = page.locator(".panel.attention")
    expect(card.locator("svg[role=img]").first).to_be_visible()
    whole(page, "5")
    expect(card.locator(".note").first).to_contain_text("replayed live from the stored memory")
    expect(card.locator("h2")).to_have_text(re.compile(r"Segment 5: \d+ % of memory’s attention goes to tokens"))
    for name in ("write", "read", "carry", "local"):
        expect(card.locator(f".key .block-{name}")).to_be_visible()
    drawn = card.locator("svg[role=img]").first
    expect(drawn).to_have_attribute("aria-label", re.compile("Shares of blocks in segment 5: read 0.\\d+, write"))
    assert drawn.locator("image").count() == 25, "five groups of rows by five of columns"
    picture(page, "attention-first")
    print(json.dumps({"another segment, ms": [page.evaluate(REPLAYED, segment) for segment in (6, 7, 8)]}))


def test_pointing_says_both_tokens_and_clicking_pins(visit):
    page = visit("attention?trace=reasoning&segment=4")
    whole(page, "4")
    drawn = page.locator(".attention svg[role=img]").first
    drawn.hover(position={"x": 250, "y": 200})
    expect(page.locator(".tip")).to_contain_text("→")
    expect(page.locator(".tip")).to_contain_text(re.compile("weight [0-9.]+"))
    drawn.click(position={"x": 250, "y": 200})
    page.mouse.move(640, 20)
    expect(page.locator(".pinned")).to_contain_text(re.compile("Pinned: .+ → .+, weight [0-9.]+"))
    page.keyboard.press("ArrowRight")
    whole(page, "5")
    expect(page.locator(".pinned")).to_contain_text("Pinned")
    page.keyboard.press("Escape")
    expect(page.locator(".pinned")).to_be_empty()


def test_a_cell_is_pinned_without_a_mouse_and_said(visit):
    page = visit("attention?trace=reasoning&segment=4")
    whole(page, "4")
    said, query, key = page.locator(".pinned"), *(page.get_by_label(name, exact=True) for name in ("query", "key"))
    expect(said).to_have_attribute("aria-live", "polite")
    query.focus()
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    row = query.locator("option:checked").text_content()
    expect(said).to_contain_text(f"Pinned: {row} → ")
    assert float(re.search("weight ([0-9.]+)", said.text_content())[1]) > 0, "a query brings what it looks at most"
    key.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    column = key.locator("option:checked").text_content()
    expect(said).to_contain_text(f"→ {column}, weight")
    page.keyboard.press("Escape")
    expect(said).to_be_empty()
    assert query.input_value() == key.input_value() == ""


def test_exact_cells_of_a_map_that_is_pooled(visit, assets, picture):
    out = assets / "traces" / "long-segments.trace.safetensors"
    record = ["record", "assets/checkpoints/detect-long", "--task", "detect", "--segments", "2", "--seed", "1"]
    subprocess.run([sys.executable, "-m", "rmt", *record, "--detail", "thin", "--out", out], cwd=ROOT, check=True)
    page = visit("attention?trace=long-segments&segment=2", size={"width": 1280, "height": 1600})
    whole(page, "2")
    card = page.locator(".panel.attention")
    expect(card).to_contain_text("Each cell is the largest of several")
    page.get_by_label("query", exact=True).select_option(index=100)
    expect(page.locator(".pinned")).to_contain_text(re.compile("Pinned: tokens \\d+–\\d+ → .+, weight at most [0-9.]+"))
    exact = card.locator(".exact svg").first
    expect(exact).to_contain_text("segment 2 · exact cells")
    exact.hover(position={"x": 300, "y": 300})
    expect(page.locator(".tip")).to_contain_text(re.compile("weight [0-9.]+"))
    expect(page.locator(".tip")).not_to_contain_text("at most")
    picture(page, "attention-exact")


def test_a_head_is_chosen_from_the_grid(visit):
    page = visit("attention?trace=reasoning&segment=4")
    whole(page, "4")
    page.locator(".blocks [data-layer='2'][data-head='3']").first.click()
    page.mouse.move(640, 20)
    expect(page.locator(".attention .note").first).to_contain_text("layer 2, head 3")
    page.wait_for_url("**layer=2&head=3")
    page.get_by_label("layer", exact=True).select_option("1")
    page.get_by_label("head", exact=True).select_option("")
    page.get_by_label("take their").select_option("max")
    expect(page.locator(".attention .note").first).to_contain_text("layer 1, maximum of heads")
    page.wait_for_url("**layer=1&how=max")


def test_figure_6_is_one_click(visit, picture):
    page = visit("attention?trace=reasoning")
    page.get_by_role("button", name="Figure 6").click()
    whole(page, "1,4,8")
    text = page.locator(".attention svg[role=img]").first.text_content()
    for told in ("segment 1 · write", "segment 4 · append", "segment 8 · read"):
        assert told in text
    page.wait_for_url("**beside=beats")
    picture(page, "attention-figure-6")


def test_two_segments_side_by_side_have_one_scale(visit):
    page = visit("attention?trace=reasoning&segment=4")
    page.get_by_role("button", name="Keep beside").click()
    page.keyboard.press("End")
    whole(page, "4,8")
    page.wait_for_url("**segment=8&beside=4")
    assert page.locator(".attention .key svg").count() == 1
    page.get_by_role("button", name="Let go of segment 4").click()
    whole(page, "8")


@pytest.mark.parametrize("control", ["reset", "untrained"])
def test_controls_are_replayed_too(visit, control):
    page = visit(f"attention?trace=reasoning&control={control}&segment=3")
    whole(page, "3")


def test_without_its_weights_a_run_shows_what_was_recorded(visit):
    page = visit("attention?trace=toy")
    card = page.locator(".panel.attention")
    expect(card).to_contain_text("Only the blocks that touch memory were recorded", timeout=PATIENCE_MS)
    expect(card).to_contain_text("are not among those of this app")
    page.keyboard.press("ArrowRight")
    expect(card.locator("svg[role=img]").first).to_contain_text("segment 5")


def test_numbers_of_a_map_are_in_a_table_and_in_a_file(visit):
    page = visit("attention?trace=reasoning&segment=4", accept_downloads=True)
    whole(page, "4")
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as waiting:
        page.get_by_role("dialog", name="Export").locator("tr").nth(2).get_by_role("button", name="CSV").click()
    lines = waiting.value.path().read_text().splitlines()
    assert len(lines) == 1 + 48 * 48 and lines[0].startswith("segment,query position,query")
    with page.expect_download() as waiting:
        page.get_by_role("dialog", name="Export").locator("tr").nth(2).get_by_role("button", name="SVG").click()
    saved = waiting.value.path().read_text()
    assert saved.startswith("<svg") and "data:image/png" in saved and "NaN" not in re.sub("base64,[^\"')]*", "", saved)
    page.keyboard.press("Escape")
    page.locator(".panel.attention").get_by_role("button", name="Numbers as a table").click()
    expect(page.locator(".attention tbody tr")).to_have_count(48)


def test_another_page_opens_where_this_one_was(visit, go):
    page = visit("attention?trace=reasoning&segment=3")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**segment=4")
    go(page, "memory")
    page.wait_for_url("**/memory?trace=reasoning&segment=4")
    expect(page.locator(".sentence")).to_contain_text("Segment 4 of 8")


def test_blocks_that_are_retrieved_are_drawn_with_what_is_read_in_them(visit, assets):
    folder = assets / "checkpoints" / "blocks"
    model = tiny("llama", "landmark", n_memory=27)
    save(model, model.about.config, folder)
    record(load(folder), torch.arange(40) % 47 + 3, detail="thin", out=assets / "traces" / "blocks.trace.safetensors")
    page = visit("attention?trace=blocks&segment=4")
    whole(page, "4")
    card = page.locator(".panel.retrieved")
    expect(card.locator("h2")).to_have_text(re.compile(r"Segment 4 gives \d+ % .+ most of the rest to segment [123]:"))
    expect(card.locator(".strip")).to_have_count(3)
    card.get_by_label("query").select_option(index=2)
    expect(card.locator("h2")).to_contain_text("gives")
    expect(card.locator("h2")).not_to_contain_text("Segment 4 gives")
    card.get_by_role("button", name="Numbers as a table").click()
    expect(card.get_by_role("columnheader")).to_have_text(
        ["token", "query", "segment 1", "segment 2", "segment 3", "own segment"]
    )
