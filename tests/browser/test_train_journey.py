"""A journey through the Train page: curves, a small run that is stopped, one that ends on Watch."""

import re

from playwright.sync_api import expect

PATIENCE_MS = 300_000  # torch is imported and a model trained, and a busy machine is slow, not wrong


def test_a_small_run_is_stopped_and_another_ends_on_watch(visit, picture):
    page = visit("train", drawn=False, accept_downloads=True)
    expect(page.locator(".js-plotly-plot .gtitle")).to_contain_text("is the hardest stage")
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("^Save the numbers as CSV")).click()
    assert waiting.value.path().read_text().startswith("step,stage,loss,accuracy")
    with page.expect_download() as waiting:
        page.get_by_role("button", name=re.compile("^Save as SVG")).click()
    assert waiting.value.path().read_text().startswith("<svg")

    start = page.get_by_role("button", name="Train", exact=True)
    start.click()
    stop = page.get_by_role("button", name="Cancel")
    stop.wait_for(timeout=PATIENCE_MS)
    stop.click()
    expect(stop).to_have_count(0, timeout=PATIENCE_MS)
    expect(page.get_by_role("link", name="at the end")).to_have_count(0)

    page.get_by_role("radio", name="1", exact=True).click()
    start.click()
    ended = page.get_by_role("link", name="at the end")
    ended.wait_for(timeout=PATIENCE_MS)
    expect(page.locator(".js-plotly-plot .gtitle").last).to_contain_text(
        re.compile("it knows? the answer")
    )  # one segment teaches to read, seldom to keep
    ended.scroll_into_view_if_needed()
    picture(page, "train-own")
    ended.click()
    page.locator(".surface[data-drawn]").wait_for()
    expect(page.locator("[data-testid=stSidebar]")).to_contain_text("Live run · checkpoint memorize, trained here")
