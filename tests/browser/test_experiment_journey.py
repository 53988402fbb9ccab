"""The front page in a real browser: a chip is edited and the answer moves; memory is reset and it goes."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from looks import looks
from playwright.sync_api import expect

LAYOUT = Path(__file__).with_name("layout.js").read_text()
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
UPSTREAM = {"list", "listitem"}  # Streamlit's own sidebar; nothing of ours
FOCUSED = """() => {
  let node = document.activeElement
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement
  return node.textContent
}"""
FONTS = """(root) => [...root.querySelectorAll("*")]
  .filter((node) => node.textContent.trim() && !node.children.length && node.checkVisibility())
  .map((node) => parseFloat(getComputedStyle(node).fontSize))"""
SIZES = {"projector": (1280, 720), "large": (1920, 1080), "phone": (390, 844)}


def ready(page):
    """The root of the experiment once its numbers are there."""
    root = page.locator(".experiment")
    expect(root).to_have_attribute("data-state", "ready")
    return root


PATIENCE_MS = 180_000  # the first edit opens the model, on a busy machine


def reread(page, act) -> None:
    """Do something that makes the text be read again, and wait until it was."""
    before = ready(page).get_attribute("data-read")
    act()
    expect(page.locator(f'.experiment[data-state=ready]:not([data-read="{before}"])')).to_be_visible(
        timeout=PATIENCE_MS
    )


def opened(visit, query="", **options):
    page = visit(query, drawn=False, **options)
    ready(page)
    return page


def answer(page):
    return page.locator(".answers header b")


def test_an_edit_moves_the_answer_and_reset_takes_it_away(visit, picture):
    page = opened(visit)
    expect(page.get_by_role("heading", level=1)).to_contain_text(re.compile("recurrent.*segment.*memory tokens"))
    expect(answer(page)).to_have_text("bedroom")
    finding = re.compile(r"Change Mary’s latest fact to (\w+) and it answers \1; change any other and it stays")
    expect(page.locator(".finding")).to_contain_text(finding)
    assert page.locator(".lanes path.stream").count() > 1
    picture(page, "experiment-first")

    tries = page.get_by_role("navigation", name="Three things to try")
    tries.get_by_role("button", name="Take it away").click()
    expect(answer(page)).to_have_text("never mentioned")
    tries.get_by_role("button", name="Change one fact").click()
    expect(answer(page)).to_have_text("bathroom")
    tries.get_by_role("button", name="Take out the prose").click()  # it comes with the page: nothing is read
    expect(page.locator(".finding")).to_contain_text("which is wrong: in this text Mary is in the bedroom")
    expect(page.locator(".answers")).to_have_attribute("data-right", "false")
    expect(page.locator(".notes")).to_contain_text("with the same sentences side by side in one segment")
    expect(tries.locator(".did")).to_have_count(3)
    page.get_by_role("button", name="Undo").click()
    expect(answer(page)).to_have_text("bedroom")

    page.get_by_role("button", name=re.compile("^Mary journeyed to the bedroom")).click()
    page.get_by_label("Where", exact=True).select_option("kitchen")
    reread(page, page.get_by_role("button", name="Read it so").click)
    expect(answer(page)).to_have_text("kitchen")
    expect(page.locator(".status")).to_contain_text("Read again in")

    page.get_by_role("button", name="Reset").click()
    expect(answer(page)).to_have_text("never mentioned")
    expect(page.locator(".finding")).to_contain_text("nothing that the text tells reaches this answer")
    assert page.locator(".lanes path.stream").count() == 0 and page.locator(".lanes path.cut").count() > 5

    page.get_by_role("button", name="With memory").click()
    page.get_by_role("button", name="John?").click()
    expect(answer(page)).to_have_text("office")
    page.get_by_role("button", name="Fact changed").click()
    expect(page.locator(".finding")).to_contain_text("John’s fact says")
    expect(answer(page)).not_to_have_text("office")
    page.get_by_label("Which fact is changed").select_option(index=0)
    expect(answer(page)).to_have_text("office")
    expect(page.locator(".finding")).to_contain_text("as before: this answer does not hang on that fact")

    page.get_by_role("button", name="With memory").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Mary?").click()
    expect(answer(page)).to_have_text("bedroom")


def test_untrained_weights_carry_nothing_through_the_same_code(visit):
    page = opened(visit)
    assert page.locator(".lanes path.ribbon").count() > 8
    page.get_by_role("button", name="Untrained").click()
    expect(page.locator(".finding")).to_contain_text(re.compile("^Untrained weights.*reaches this answer"))
    for kind in ("ribbon", "entry", "stream"):
        assert page.locator(f".lanes path.{kind}").count() == 0


def test_a_chip_is_dragged_to_another_segment(visit):
    page = opened(visit)
    last = page.locator('.card[data-segment="2"]')
    chip, there = page.locator(".chip").nth(3), last.bounding_box()
    here = chip.bounding_box()
    page.mouse.move(here["x"] + 20, here["y"] + 10)
    page.mouse.down()
    page.mouse.move(there["x"] + 30, there["y"] + 60, steps=8)
    expect(last).to_have_class(re.compile("over"))
    reread(page, page.mouse.up)
    expect(last.locator(".chip")).to_have_count(1)
    expect(page.locator("dialog")).to_have_count(0)
    expect(answer(page)).to_have_text("bedroom")


def test_the_keyboard_does_everything(visit):
    page = opened(visit)
    chip = page.get_by_role("button", name=re.compile("^Daniel went"))
    chip.focus()
    reread(page, lambda: page.keyboard.press("Shift+ArrowLeft"))
    expect(page.locator('.card[data-segment="4"] .chip')).to_have_count(2)
    assert page.evaluate(FOCUSED) == "Danielhallway"
    reread(page, lambda: page.keyboard.press("Delete"))
    expect(page.locator(".chip")).to_have_count(4)
    page.get_by_role("button", name="Daniel?").click()
    expect(answer(page)).to_have_text("never mentioned")
    page.get_by_label("Moment of the run").focus()
    page.keyboard.press("Home")
    expect(page.locator(".said")).to_contain_text("initial memory")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".said")).to_contain_text("Segment 1 of 12 reads “Mary went to the garden.”")
    page.get_by_role("button", name="Add a fact to segment 3").press("Enter")
    page.get_by_label("Who", exact=True).select_option("Daniel")
    page.get_by_label("Where", exact=True).select_option("office")
    reread(page, lambda: page.get_by_role("button", name="Add it").press("Enter"))
    expect(answer(page)).to_have_text("office")
    reread(page, lambda: page.keyboard.press("Control+z"))
    expect(answer(page)).to_have_text("never mentioned")


def test_what_the_model_does_not_know_is_said(visit):
    page = opened(visit)
    page.get_by_role("button", name=re.compile("^John moved")).click()
    page.get_by_label("Who", exact=True).select_option("another word …")
    page.get_by_label("Who: another word").fill("Bob")
    expect(page.locator(".warning")).to_contain_text("never trained on “Bob”")
    reread(page, lambda: page.get_by_label("Who: another word").press("Enter"))
    expect(page.locator(".notes")).to_contain_text("“Bob” is no word of the four people and six places")
    expect(page.locator(".chip.unknown")).to_contain_text("?")
    page.get_by_role("button", name="Bob?").click()
    expect(page.locator(".answers")).to_have_attribute("data-right", "unknown")


def test_pasted_prose_is_text_and_never_markup(visit):
    page = opened(visit)
    page.get_by_role("button", name="Edit the prose of segment 3").click()
    hostile = "<img src=x onerror='window.hacked = 1'> $a$ :red[b]. John went to the garden. "
    page.get_by_label("Prose, part 1").fill(hostile + "The sea was calm. " * 30)
    reread(page, page.get_by_role("button", name="Read it so").click)
    expect(page.locator('.card[data-segment="2"]')).to_contain_text("<img src=x")
    expect(page.locator('.card[data-segment="2"] .chip')).to_have_text("Johngarden")
    assert page.locator(".card[data-segment]").count() > 7, "what does not fit goes on in new segments"
    assert page.evaluate("window.hacked") is None
    page.get_by_role("button", name="John?").click()
    expect(answer(page)).to_have_text("garden")


def test_a_link_opens_the_same_experiment(visit):
    page = opened(visit)
    page.get_by_label("Segments of noise before the question").focus()
    reread(page, lambda: page.keyboard.press("ArrowLeft"))
    page.get_by_role("button", name="Sandra?").click()
    page.get_by_role("button", name="Reset").click()
    link = page.url
    assert "ask=Sandra" in link and "memory=reset" in link
    other = opened(visit, link.split("/")[-1])
    expect(other.locator(".noise header")).to_have_text("4 segments of noise")
    expect(other.get_by_role("button", name="Sandra?")).to_have_attribute("aria-pressed", "true")
    expect(other.get_by_role("button", name="Reset")).to_have_attribute("aria-pressed", "true")
    broken = opened(visit, "?text=%7B%22segments%22%3A3%7D&ask=Nobody&memory=x&fact=-1&weights=y")
    expect(answer(broken)).to_have_text("bedroom")


def test_a_link_to_a_run_opens_watch(visit):
    page = visit("?trace=toy&segment=5")
    page.wait_for_url("**/watch?trace=toy&segment=5")
    expect(page.locator(".sentence")).to_contain_text("Segment 5 of 8")
    page = visit("watch?trace=toy")
    expect(page).to_have_title("Watch · RMT Viz")
    assert not page.get_by_text("Page not found").count()


def test_play_moves_the_slots_and_ends_in_the_answer(visit):
    page = opened(visit)
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".card.here")).to_have_count(1)
    body = page.locator(".lanes .slot .body").first
    at = [float(body.get_attribute("x"))]
    page.wait_for_timeout(500)
    at.append(float(body.get_attribute("x")))
    assert at[1] > at[0]
    expect(page.locator(".lanes .flows")).to_have_attribute("visibility", "hidden")
    expect(page.locator(".lanes .flows")).to_have_attribute("visibility", "visible", timeout=30_000)
    expect(page.get_by_role("button", name="Play")).to_be_visible(timeout=30_000)
    expect(page.locator(".said")).to_contain_text("Then the question is asked.")


def test_for_those_who_ask_for_rest_it_plays_in_steps(visit):
    page = opened(visit, reduced_motion="reduce")
    page.get_by_role("button", name="Play").click()
    places = set()
    for _ in range(60):
        places.add(page.locator(".lanes .slot .body").first.get_attribute("x"))
        page.wait_for_timeout(50)
    assert 1 < len(places) <= 13, "from boundary to boundary and nowhere between"


@pytest.mark.parametrize(("name", "theme"), looks(SIZES))
def test_it_fits_every_screen_and_is_for_everybody(visit, picture, name, theme):
    width, height = SIZES[name]
    page = opened(visit, size={"width": width, "height": height}, theme=theme)
    wrong = page.evaluate(LAYOUT)
    for query in ("memory", "reset"):
        page.get_by_role("button", name={"memory": "With memory", "reset": "Reset"}[query]).click()
        found = Axe().run(page, options=RULES).response["violations"]
        wrong += [f"{r['id']}: {n['html'][:140]}" for r in found if r["id"] not in UPSTREAM for n in r["nodes"][:3]]
        picture(page, f"experiment-{query}-{theme}-{width}x{height}")
    assert min(page.locator(".experiment").evaluate(FONTS)) >= 12
    assert not wrong, "\n".join(wrong)


def test_the_numbers_stand_in_a_table(visit):
    page = opened(visit)
    page.get_by_text("The numbers of this moment").click()
    table = page.locator("details table")
    expect(table.locator("tbody tr")).to_have_count(8 + 4)
    kept = json.loads((Path(__file__).parents[2] / "assets" / "results" / "experiment.json").read_text())["trained"]
    shown = [float(cell) for cell in table.locator("tbody td").all_text_contents()]
    run = kept["runs"]["memory"]
    wanted = [value for row in [*run["slots"][-1], *run["effects"][-1]] for value in row]
    assert shown == pytest.approx(wanted, abs=0.006)
