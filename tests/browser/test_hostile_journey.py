"""A run whose every word is hostile, on every page: it is text, nothing else, and no page fails."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hostile import NAME
from playwright.sync_api import expect

MEMORIZE = Path(__file__).parents[2] / "assets" / "traces" / "memorize.trace.safetensors"
PATIENCE_MS = 120_000  # some pages import torch, on a busy machine
PAGES = "watch attention memory compare facts what-if why".split()
OTHERS = ["", *"loss tour capacity length cost mechanisms train models".split()]
MARKUP = """() => {
  const everything = (root) =>
    [...root.querySelectorAll("*")].flatMap((node) => [node, ...(node.shadowRoot ? everything(node.shadowRoot) : [])])
  const all = everything(document), told = (node) => node.tagName + " " + node.outerHTML.slice(0, 120)
  const bad = (node) =>
    node.matches("img[src=x], svg[onload], .katex, a[href^='javascript:'], a[href*='example.com']") ||
    (node.matches("b, strong, i, em, span[class*=red], span[style*=color]") && !node.children.length &&
      ["bold", "c", "x", "b"].includes(node.textContent)) ||
    (node.matches("script") && /hacked/.test(node.textContent))
  const found = all.filter(bad).map(told)
  return window.hacked === undefined ? found : [...found, "hacked " + window.hacked]
}"""
TEXT = """() => {
  const text = (root) => [...root.querySelectorAll("*")].map((node) => node.shadowRoot ? text(node.shadowRoot) : "")
    .join(" ") + (root.body ?? root).textContent
  return text(document)
}"""


@pytest.fixture
def server(hostile_server):
    """What `visit` opens."""
    return hostile_server


def ready(page) -> None:
    done = page.locator("[data-testid=stApp][data-test-script-state=notRunning]")
    expect(done).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0)
    expect(page.locator(".surface:not([data-drawn])")).to_have_count(0)
    expect(page.locator(".experiment:not([data-state=ready])")).to_have_count(0)
    expect(page.locator("[data-testid=stException]")).to_have_count(0)
    assert page.evaluate(MARKUP) == [], page.url


def test_a_hostile_vocabulary_is_text_on_every_page(visit, server, picture):
    page = visit("watch?trace=strange&segment=4", drawn=False)
    for name in [*PAGES, *OTHERS]:
        page.goto(f"{server}/{name}?trace=strange&segment=4" if name in PAGES else f"{server}/{name}")
        ready(page)
        if name in PAGES:
            picture(page, f"hostile-{name}")
            page.wait_for_function(f"() => ({TEXT})().includes('window.hacked')")
    content = MEMORIZE.read_bytes()[:-9]
    upload = {"name": f"{NAME.replace('/', '')}.safetensors", "mimeType": "application/octet-stream", "buffer": content}
    page.locator("input[type=file]").set_input_files(upload)
    expect(page.get_by_text("cut short")).to_be_visible()
    ready(page)
    field = page.get_by_label("Folder, or hub name", exact=True)
    for text in (f"{NAME} **c** :red[b] $a$", "\u202e[d](javascript:alert(1))"):
        field.fill(text)
        field.press("Enter")
        expect(page.locator("[data-testid=stAlert]").first).to_be_visible()
        ready(page)
    assert urlsplit(page.url).path.endswith("models")
