"""A journey through the Mechanisms page in a real browser."""

import pytest
import torch
from foreign import tiny
from looks import THEMES
from playwright.sync_api import expect

from rmt.recorder import record

PANELS = "g.annotation-text-g text"


def chart(page, name: str):
    return page.locator(f".st-key-figure-{name} .js-plotly-plot")


@pytest.mark.parametrize("theme", THEMES)
def test_mechanisms_side_by_side(visit, picture, theme):
    page = visit("mechanisms", theme=theme, drawn=False)
    sees = chart(page, "who-sees-whom")
    expect(sees.locator("g.g-gtitle text")).to_contain_text("numbers from segment")
    expect(sees.locator("g.subplot.xy, g.subplot.x2y2")).to_have_count(2)
    picture(page, f"mechanisms-{theme}")
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"), "nothing sticks out to the right"

    words = sees.locator(PANELS)
    page.get_by_role("radio", name="retrieval").click()
    expect(words.filter(has_text="RMT-R")).to_have_count(1)
    page.get_by_role("radio", name="cache").click()
    expect(words.filter(has_text="Transformer-XL")).to_have_count(1)
    page.get_by_role("radio", name="Compressive").click()
    expect(words.filter(has_text="Compressive")).to_have_count(1)
    page.reload()
    expect(chart(page, "who-sees-whom").locator(PANELS).filter(has_text="Compressive")).to_have_count(1)


def test_the_numbers_of_the_picture_can_be_had(visit):
    page = visit("mechanisms?family=cache", drawn=False, accept_downloads=True)
    figure = page.locator(".st-key-figure-who-sees-whom")
    with page.expect_download() as waiting:
        figure.get_by_role("button", name="CSV").click()
    lines = waiting.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "mechanism,token that looks,token looked at,tokens that share its place"
    assert (
        "RMT,9,1,8" in lines
        and "Transformer-XL,9,1,1" in lines
        and not any(line.startswith("no memory,") for line in lines)
    )


@pytest.mark.parametrize(
    ("cell", "maps"), [("transformer-xl", "read"), ("armt", "write"), ("memory-transformer", "read")]
)
def test_watch_shows_what_a_mechanism_has(visit, assets, cell, maps):
    """A cache is read and not written to, associations are written and not read by attention."""
    model = tiny("llama", cell, **({"d_memory": 4} if cell == "armt" else {}))
    record(model, torch.arange(40) % 47 + 3, detail="thin", out=assets / "traces" / f"{cell}.trace.safetensors")
    page = visit(f"?trace={cell}&segment=3")
    card = page.locator(".panel.maps svg[role]")
    expect(card).to_contain_text(f"{maps} · how much each")
    other = "write" if maps == "read" else "read"
    assert f"{other} ·" not in card.text_content()
    expect(page.locator(".panel.tokens select")).not_to_contain_text(other)
