"""Journeys through the Watch page in a real browser: more than 300 lines, since they are of one page."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from looks import looks
from playwright.sync_api import expect

PAINTED = """(key) => new Promise((done) => {
  const surface = document.querySelector(".surface") ?? [...document.querySelectorAll("*")]
    .map((node) => node.shadowRoot?.querySelector(".surface")).find(Boolean)
  const before = surface.dataset.drawn
  const begin = performance.now()
  const look = () => surface.dataset.drawn === before ? requestAnimationFrame(look)
    : requestAnimationFrame(() => done(performance.now() - begin))
  document.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }))
  requestAnimationFrame(look)
})"""
PATIENCE_MS = 60_000
CONTRAST = Path(__file__).with_name("contrast.js")
SIZES = [(1280, 720), (1280, 1024), (1920, 1080)]
CARDS = ("spine", "tokens", "answers", "slots", "heads", "maps")


def at(page, segment: int) -> None:
    """Wait until a segment is on the screen."""
    expect(page.locator(".surface")).to_have_attribute("data-drawn", str(segment))


def query(page) -> dict:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def steps(page, n: int) -> list[float]:
    """Milliseconds from the key to the painted segment, n times, each when the last has settled."""
    found = []
    for _ in range(n):
        found.append(page.evaluate(PAINTED, "ArrowRight"))
        page.wait_for_timeout(60)
    return found


def test_the_first_picture_is_a_finished_answer(visit, picture):
    page = visit("watch")
    told = re.compile(r"Segment \d+ of \d+ replaces \w+ with \w+ for \w+: .+ Asked now “Where is \w+\?”, it answers ")
    expect(page.locator(".sentence")).to_contain_text(told)
    for card in CARDS:
        expect(page.locator(f".panel.{card} svg[role], .panel.{card} .strip").first).to_be_visible()
    expect(page.get_by_role("button", name="2 update")).to_have_attribute("aria-pressed", "true")
    picture(page, "watch-first")


def test_thirty_fast_presses_are_thirty_steps(visit):
    page = visit("?trace=long&segment=100")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(30)
    at(page, 130)
    expect(page.locator(".sentence")).to_contain_text("Segment 130 of 4096")
    page.wait_for_url("**segment=130*")


def test_stepping_asks_nothing_of_the_page_script(visit):
    page, sent = visit("?trace=toy"), []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    page.reload()
    expect(page.locator(".sentence")).to_contain_text("Segment")
    page.wait_for_timeout(1500)  # what the page sends when it opens
    assert sent
    sent.clear()
    steps(page, 4)
    page.wait_for_timeout(500)
    assert not sent
    page.get_by_role("radio", name="Reset").click()
    page.wait_for_url("**control=reset*")
    page.wait_for_timeout(1500)
    assert sent  # a run of the page is seen


def test_keys_do_what_the_help_says(visit):
    page = visit("?trace=toy&segment=2")
    for key, segment in [("End", 8), ("Home", 1), ("1", 4), ("3", 8), ("ArrowLeft", 7), ("2", 5), ("4", 5)]:
        page.keyboard.press(key)
        at(page, segment)
    colour = page.get_by_label("colour", exact=True)
    page.keyboard.press("3")
    expect(page.get_by_role("button", name=re.compile("^3 read"))).to_have_attribute("aria-pressed", "true")
    expect(colour).to_have_value("read")
    page.keyboard.press("1")
    expect(colour).to_have_value("write")
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    at(page, 2)
    page.keyboard.press(" ")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keys")
    for told in ("Space", "Esc", "the first beat", "one segment on"):
        expect(help_).to_contain_text(told)
    page.keyboard.press("Escape")
    expect(help_).to_have_count(0)


def test_a_permalink_brings_another_visitor_to_the_same_view(visit):
    page = visit("?trace=toy", permissions=["clipboard-read", "clipboard-write"])
    page.keyboard.press("ArrowRight")
    page.get_by_label("layer", exact=True).select_option("2")
    page.get_by_label("head", exact=True).select_option("1")
    page.get_by_label("slot", exact=True).select_option("3")
    page.get_by_label("colour", exact=True).select_option("read")
    page.wait_for_url("**colour=read")
    wanted = {"trace": "toy", "segment": "5", "layer": "2", "head": "1", "slot": "3", "colour": "read"}
    assert query(page) == wanted
    page.get_by_role("button", name="Link").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    other = visit(link.split("/")[-1])
    at(other, 5)
    assert query(other) == wanted
    expect(other.locator(".panel.maps .note")).to_have_text("layer 2, head 1, slot 3")
    assert other.locator(".panel.maps svg").inner_html() == page.locator(".panel.maps svg").inner_html()


def test_defaults_are_dropped_and_bad_values_fall_back(visit):
    page = visit("?segment=99999&layer=zz&head=-3&slot=1e9&colour=%3Cscript%3E&trace=../../etc/passwd&control=evil")
    expect(page.locator(".sentence")).to_contain_text("replaces")
    page.wait_for_url(lambda url: "?" not in url)


def test_hover_previews_click_pins_escape_unpins(visit):
    page = visit("?trace=toy")
    note = page.locator(".panel.maps .note")
    cell = page.locator(".panel.heads [data-layer='2'][data-head='1']").first
    cell.hover()
    expect(note).to_have_text("layer 2, head 1")
    expect(page.locator(".tip")).to_contain_text("Layer 2 · head 1")
    page.mouse.move(640, 80)
    expect(note).to_have_text("mean of layers and heads")
    assert "layer" not in query(page)
    cell.click()
    page.mouse.move(640, 80)
    expect(note).to_have_text("layer 2, head 1")
    page.wait_for_url("**layer=2&head=1")
    page.keyboard.press("Escape")
    expect(note).to_have_text("mean of layers and heads")
    page.wait_for_url(lambda url: "layer" not in url)
    expect(page.locator(".hint")).to_contain_text("Hover previews, click pins, Esc lets go")


def test_clicks_on_spine_and_grid_go_there(visit):
    page = visit("?trace=toy")
    spine = page.locator(".panel.spine svg").bounding_box()
    page.mouse.click(spine["x"] + spine["width"] - 40, spine["y"] + 60)
    at(page, 8)
    grid = page.locator(".panel.slots svg").bounding_box()
    page.mouse.click(grid["x"] + 60, grid["y"] + 40)
    at(page, 1)


def test_a_control_shows_the_same_segment(visit, picture):
    page = visit("?trace=toy&segment=5")
    page.get_by_role("radio", name="Reset").click()
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("memory reset before every segment")
    page.wait_for_url("**control=reset**")
    at(page, 5)
    expect(page.get_by_text("no beats")).to_be_visible()
    picture(page, "watch-control")


def test_own_text_runs_live(visit, picture):
    page = visit("watch")
    page.get_by_role("button", name="Your own text").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("bathroom, hallway, garden, office, bedroom, kitchen")
    box = dialog.get_by_role("textbox", name="Text")
    box.fill("There is nothing to ask here.")
    dialog.get_by_role("button", name="Run").click()
    expect(dialog).to_contain_text("does not end with a question")
    box.fill("Sandra travelled to the kitchen. " + "The report was long and nobody read it. " * 20 + "Where is Sandra?")
    picture(page, "own-text")
    dialog.get_by_role("button", name="Run").click()
    page.wait_for_url("**trace=live-*", timeout=3 * PATIENCE_MS)  # the first run imports torch
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Live run")
    expect(page.locator(".sentence")).to_contain_text("Where is Sandra?")
    page.keyboard.press("Home")
    at(page, 1)
    expect(page.locator(".strip")).to_contain_text("Sandra travelled to the kitchen.")
    picture(page, "own-text-live")


def test_hostile_tokens_are_text(visit, picture):
    page = visit("?trace=hostile&colour=write")
    strip = page.locator(".strip")
    for text in ("<script>window.hacked = 1</script>", "onerror='window.hacked = 2'", "$a$ :red[b] **c**", "&lt;b&gt;"):
        expect(strip).to_contain_text(text)
    page.keyboard.press("End")
    at(page, 8)
    expect(page.locator(".sentence")).to_contain_text("<img src=x")
    page.locator(".panel.tokens").get_by_role("button", name="Numbers as a table").click()
    expect(page.locator(".panel.tokens table")).to_contain_text("<img src=x")
    page.locator(".panel.maps svg").hover(position={"x": 300, "y": 60})
    page.wait_for_timeout(300)
    assert page.locator(".surface :is(img, script, iframe, a, b:not(.tip b))").count() == 0
    assert page.evaluate("window.hacked") is None
    picture(page, "hostile")


def test_what_a_trace_lacks_is_said(visit):
    page = visit("?trace=plain")
    expect(page.locator(".panel.maps")).to_contain_text("Record it again with --detail thin")
    expect(page.locator(".panel.answers")).to_contain_text("No question is asked")
    expect(page.locator(".panel.tokens h2")).to_contain_text("What surprised the model")
    expect(page.locator(".sentence")).to_contain_text("Mean loss")


def test_a_damaged_trace_is_a_sentence(visit, assets):
    page = visit("?trace=damaged", drawn=False)
    told = page.locator("[data-testid=stAlert]").first
    expect(told).to_contain_text("damaged.trace.safetensors is not a whole trace")
    body = page.inner_text("body")
    assert "Traceback" not in body and str(assets) not in body


@pytest.mark.parametrize("kind", ["svg", "png", "csv"])
def test_figures_and_numbers_can_be_taken_home(visit, kind):
    page = visit("?trace=toy", accept_downloads=True)
    page.get_by_role("button", name="Export").click()
    rows = page.get_by_role("dialog", name="Export").locator("tr")
    expect(rows).to_have_count(len(CARDS))
    for i, card in enumerate(CARDS):
        with page.expect_download() as waiting:
            rows.nth(i).get_by_role("button", name=kind.upper()).click()
        assert waiting.value.suggested_filename == f"toy-segment-4-{card}.{kind}"
        content = waiting.value.path().read_bytes()
        if kind == "png":
            assert content.startswith(b"\x89PNG") and len(content) > 1000
        elif kind == "csv":
            assert content.count(b"\n") >= 3, content
        else:
            assert content.startswith(b"<svg") and b"<text" in content
            drawn = re.sub("base64,[^\"')]*", "", content.decode())  # all but the font
            assert "var(" not in drawn and "NaN" not in drawn, "a saved figure has its colours in it"


def test_panels_can_have_more_room_and_show_their_numbers(visit):
    page = visit("?trace=toy")
    before = page.locator(".panel.maps svg").bounding_box()["width"]
    page.locator(".panel.heads").get_by_role("button", name="More room").click()
    room = page.locator("dialog.room svg").first
    expect(room).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)
    expect(page.locator(".grid .panel.heads svg")).to_be_visible()
    assert page.locator(".panel.maps svg").bounding_box()["width"] == before
    for card in CARDS[1:]:
        page.locator(f".panel.{card}").get_by_role("button", name="Numbers as a table").click()
        assert page.locator(f".panel.{card} tbody tr").count() >= 3
    page.keyboard.press("ArrowRight")
    at(page, 5)
    expect(page.locator(".panel.tokens tbody tr").first).to_contain_text("49")


def test_every_figure_says_what_it_shows(visit):
    page = visit("?trace=toy")
    labels = page.locator(".panel svg[role=img], .panel svg[role=slider], .strip").evaluate_all(
        "(nodes) => nodes.map((node) => node.getAttribute('aria-label'))"
    )
    assert len(labels) >= len(CARDS) and all(labels)
    expect(page.locator(".sentence")).to_have_attribute("aria-live", "polite")


@pytest.mark.parametrize(("size", "theme"), looks(SIZES))
def test_both_themes_fit_the_screen(visit, picture, size, theme):
    width, height = size
    page = visit("watch", size={"width": width, "height": height}, theme=theme)
    page.wait_for_timeout(300)
    picture(page, f"watch-{theme}-{width}x{height}")
    overflow = page.evaluate(
        "(() => { const main = document.querySelector('[data-testid=stMain]');"
        " return [main.scrollWidth - main.clientWidth, document.documentElement.scrollWidth - innerWidth] })()"
    )
    assert max(overflow) <= 0
    ground = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    red = int(re.findall(r"\d+", ground)[0])
    assert red > 200 if theme == "light" else red < 60
    worst = page.evaluate(CONTRAST.read_text())
    assert worst["ratio"] >= 4.5, worst


def test_a_long_run_costs_what_a_short_one_costs(visit):
    pages = {name: visit(f"?trace={name}&segment={first}") for name, first in (("short", 1), ("long", 2000))}
    times = {name: [] for name in pages}
    for _ in range(6):  # in turn, and the least of each: what else the machine does must not decide
        for name, page in pages.items():
            page.bring_to_front()
            times[name] += steps(page, 1)
    print(json.dumps(times))
    assert min(times["long"]) < 1.5 * min(times["short"]) + 10, times
