"""Every page in both themes: it fits every screen, and everybody can use it, as far as a program can tell."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rmt_viz.shelf import menu

PATIENCE_MS = 60_000
SIZES = [(1280, 720), (1280, 1024), (1920, 1080)]
PAGES = Path(__file__).parents[2] / "rmt_viz" / "pages"
LAYOUT = Path(__file__).with_name("layout.js").read_text()
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
COLOURS = {"runOnly": ["color-contrast"]}  # all that a theme changes
UPSTREAM = {"list", "listitem"}  # Streamlit's own sidebar; nothing of ours
FIGURES = """() => [...document.querySelectorAll("[data-testid=stPlotlyChart]")]
  .filter((chart) => !chart.getAttribute("aria-label") || !chart.closest("[class*=st-key-figure-]")).length"""


def settle(page) -> None:
    """Wait until the page script is done and what it drew is drawn."""
    expect(page.locator("[data-testid=stApp][data-test-script-state=notRunning]")).to_be_visible()
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0, timeout=2 * PATIENCE_MS)  # Plotly is large
    expect(page.locator(".surface:not([data-drawn])")).to_have_count(0)
    expect(page.locator(".experiment:not([data-state=ready])")).to_have_count(0)
    page.wait_for_timeout(400)  # sizes follow the drawing


def violations(page, name: str, rules=RULES) -> list[str]:
    """What axe finds, without the two rules that Streamlit itself breaks."""
    found = Axe().run(page, options=rules).response["violations"]
    return [
        f"{name}: {rule['id']}, {rule['help']}: {node['html'][:140]}"
        for rule in found
        if rule["id"] not in UPSTREAM
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_fits_and_is_for_everybody(visit, picture, go, theme):
    page, wrong, rules = visit(theme=theme, drawn=False), [], RULES if theme == "light" else COLOURS
    settle(page)
    sections = page.get_by_test_id("stTopNavSection")
    expect(sections).to_have_text([*menu.SECTIONS])
    sections.first.click()
    wrong += violations(page, "the menu", rules)
    page.keyboard.press("Escape")
    for i, entry in enumerate(menu.ALL.values()):
        name = entry.name
        page.set_viewport_size({"width": SIZES[0][0], "height": SIZES[0][1]})
        if i:
            go(page, entry.path)
        expect(page).to_have_title(f"{name} · RMT Viz")  # the new page's script has begun
        expect(page.get_by_test_id("stTopNavPopoverBody")).to_have_count(0)
        settle(page)
        wrong += violations(page, name, rules)
        assert not page.locator("[data-testid=stException]").count()
        if page.evaluate(FIGURES):
            wrong.append(f"{name}: a figure without alternative text or numbers behind it")
        for width, height in SIZES if theme == "light" else SIZES[:1]:  # what fits in one theme fits in the other
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(350)
            wrong += [f"{name} at {width}x{height}: {told}" for told in page.evaluate(LAYOUT)]
            picture(page, f"{name.lower().replace(' ', '-')}-{theme}-{width}x{height}")
    assert not wrong, "\n".join(wrong)


def test_the_menu_has_every_page_by_its_question_with_a_line_under_it(visit):
    page, found = visit("watch"), []
    for section in page.get_by_test_id("stTopNavSection").all():
        section.click()
        links = page.get_by_role("menuitem")
        expect(links.first).to_be_visible()
        for link in links.all():
            question, line = link.locator("strong"), link.locator("p span")
            assert line.bounding_box()["y"] > question.bounding_box()["y"] + 10
            found.append((link.get_attribute("href").rsplit("/", 1)[1], question.inner_text(), line.inner_text()))
        page.keyboard.press("Escape")
        expect(links).to_have_count(0)
    pages = sorted(path.stem.replace("_", "-") for path in PAGES.glob("[a-z]*.py"))
    assert sorted([path for path, _, _ in found] + [menu.FIRST.path]) == pages
    assert all(question.endswith("?") and line for _, question, line in found)


@pytest.mark.parametrize("address", ["watch", "watch/?segment=3", "what_if?trace=toy", "experiment", "?trace=toy"])
def test_addresses_of_once_open_a_page(visit, address):
    name = {"what_if?trace=toy": "What if", "experiment": "Experiment"}.get(address, "Watch")
    page = visit(address, drawn=name == "Watch")
    expect(page).to_have_title(f"{name} · RMT Viz")
    settle(page)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert "trace=toy" not in address or "trace=toy" in page.url


def test_the_sidebar_belongs_to_the_run_and_is_complete(visit):
    page = visit("compare?trace=toy")
    side = page.get_by_test_id("stSidebarContent")
    expect(side.get_by_role("button", name="Your own text …")).to_be_in_viewport()
    assert side.evaluate("(node) => node.scrollHeight <= node.clientHeight")
    expect(side.get_by_role("link")).to_have_count(0)
    phone = visit("watch", size={"width": 390, "height": 780})
    expect(phone.get_by_test_id("stSidebar")).to_have_attribute("data-collapsed", "true")
    phone.get_by_test_id("stExpandSidebarButton").click()
    phone.get_by_test_id("stSidebarNavLink").filter(has_text=menu.ALL["memory"].question).click()
    expect(phone).to_have_title("Memory · RMT Viz")


def test_the_checks_see_what_is_wrong(visit):
    page = visit("models", drawn=False)
    settle(page)
    assert page.evaluate(LAYOUT) == []
    page.evaluate(
        """() => {
          const at = "position: fixed; left: 60vw; top: 40vh; width: 900px; height: 40px"
          const nodes = ["button", "button", "img"].map((tag) => document.createElement(tag))
          for (const node of nodes) node.style = at
          const small = Object.assign(document.createElement("p"), { textContent: "small", style: "font-size: 11px" })
          document.querySelector("[data-testid=stMain]").append(...nodes, small)
        }"""
    )
    told = "\n".join(page.evaluate(LAYOUT))
    assert "sticks out" in told and "lies over" in told and "“small” is written in 11 px" in told
    assert any("button-name" in one for one in violations(page, "x"))


def test_nothing_moves_for_those_who_ask_for_rest(visit):
    def moving(page) -> int:
        page.locator(".tour h1").wait_for()
        return page.locator(".tour button").evaluate_all(
            "(nodes) => nodes.filter((node) => parseFloat(getComputedStyle(node).transitionDuration) > 0).length"
        )

    assert moving(visit("tour", drawn=False, reduced_motion="reduce")) == 0
    assert moving(visit("tour", drawn=False, reduced_motion="no-preference")) > 0
