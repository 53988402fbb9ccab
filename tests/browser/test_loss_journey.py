"""A journey through the Loss page in a real browser."""

import re
import shutil

from playwright.sync_api import expect

from rmt_viz.session import CHECKPOINTS

PATIENCE_MS = 300_000  # the first run imports torch, and a busy machine is slow, not wrong


def test_from_a_token_that_memory_helped_to_its_segment(visit, picture, choose):
    page = visit("loss", drawn=False)
    expect(page.locator(".js-plotly-plot")).to_have_count(2, timeout=PATIENCE_MS)
    told = re.compile("^Loss in nats at each position.* RMT saves 0.40 nats in the first 16 positions")
    expect(page.get_by_role("figure", name=told)).to_be_visible()
    expect(page.get_by_text("toy <b>corpus</b>")).to_be_visible()
    picture(page, "loss")
    page.get_by_text("RMT, reset", exact=True).click()
    expect(page.locator(".legendtext", has_text="RMT, reset")).to_have_count(2)

    page.get_by_role("radio", name="One text").click()
    page.wait_for_url("**on=One+text*")
    choose(page, re.compile("^Text$"), re.compile("8 segments, toy"))
    helped = page.locator(".jumps .helped a")
    expect(helped).to_have_count(8)
    expect(helped.first).to_contain_text("+0.50")
    expect(page.locator(".jumps .hurt")).to_contain_text("None in this text.")
    assert page.evaluate("window.hacked") is None, "tokens are text"
    picture(page, "loss-one-text")
    helped.first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**trace=letter*")
    expect(page.locator(".panel.tokens")).to_contain_text("Where memory helped in segment")


def test_a_model_that_has_no_loss_says_so(visit, choose, brought):
    shutil.copytree(CHECKPOINTS / "detect", brought / "classifier")
    page = visit("loss?on=One+text", drawn=False)
    page.get_by_text("Your own text, or your own checkpoint").click()
    choose(page, re.compile("Language model"), re.compile("^A folder"))
    page.get_by_label("Its folder or name").fill("classifier")
    page.get_by_role("button", name="Read it with memory, and without").click()
    expect(page.locator("[data-testid=stAlert]")).to_contain_text("predicts no next token", timeout=PATIENCE_MS)
