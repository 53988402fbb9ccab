"""Gallery in a real browser: failures first, a row opens its run where the answer is decided."""

import re

import pytest
from playwright.sync_api import expect

ROWS = 370  # in the list that ships
PATIENCE_MS = 240_000  # torch is loaded and a run recorded, on a busy machine


def test_a_failure_opens_where_it_is_decided(visit, picture):
    page = visit("gallery", drawn=False)
    rows = page.locator(".rows tbody tr")
    expect(rows).to_have_count(ROWS)
    expect(rows.first).to_contain_text("✗ wrong")
    picture(page, "gallery")
    page.locator(".st-key-gallery-task").get_by_text("Who is where").click()
    page.locator(".st-key-gallery-right").get_by_text("right", exact=True).click()
    expect(page.locator(".rows tr.wrong")).to_have_count(0)
    row = rows.filter(has_text="segment 2").first
    moment = re.search(r"segment (\d+)", row.inner_text()).group(1)
    row.get_by_role("link").click()
    expect(page).to_have_title("Watch · RMT Viz", timeout=PATIENCE_MS)
    expect(page.locator(".surface")).to_have_attribute("data-drawn", moment)
    assert "trace=live-" in page.url and f"segment={moment}" in page.url


@pytest.mark.parametrize("address", ["gallery?example=nothing-1-2", "gallery?example=%3Cb%3E"])
def test_an_address_of_no_row_shows_the_list(visit, address):
    page = visit(address, drawn=False)
    expect(page.locator(".rows tbody tr")).to_have_count(ROWS)
