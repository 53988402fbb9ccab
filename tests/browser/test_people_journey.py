"""Watch over several people in a real browser: whoever is chosen, the answers, the sentence and the beats follow."""

import re
from itertools import pairwise

import pytest
from playwright.sync_api import expect

PATIENCE_MS = 180_000  # a first run imports torch, on a busy machine


def beats(page) -> list[str]:
    return page.locator(".beats button").all_text_contents()


def test_a_row_for_each_person_with_the_controls_beside_it(visit, picture):
    page = visit("watch")
    rows = page.locator(".spine .person")
    expect(rows).to_have_count(4)
    assert rows.evaluate_all("(nodes) => nodes.map((node) => node.dataset.who)") == ["Mary", "John", "Daniel", "Sandra"]
    for row in rows.all():
        expect(row.locator(".score")).to_have_text([re.compile(r"^\d+ of \d+$")] * 3)  # trained, reset, untrained
    hues = rows.evaluate_all("(nodes) => nodes.map((node) => node.querySelector('text').getAttribute('fill'))")
    assert len(set(hues)) == 4
    john = rows.nth(1).locator("[data-answer]")
    answers = john.evaluate_all("(nodes) => nodes.map((node) => node.dataset.answer)")
    assert len(answers) >= 3 and answers[0] == "never mentioned", "one fact replaces another on the row"
    picture(page, "watch-people")


def test_card_sentence_and_beats_follow_the_chosen_person(visit):
    page = visit("watch?trace=qa1&segment=10")
    card = page.locator(".panel.answers")
    expect(page.locator(".sentence")).to_contain_text("Where is John?")
    before = beats(page)
    card.get_by_role("button", name="Mary").click()
    expect(page.locator(".sentence")).to_contain_text("Where is Mary?")
    expect(card.locator(".note").first).to_contain_text("Where is Mary?")
    expect(card.locator("svg")).to_contain_text("✓")
    assert beats(page) != before and "4 read" in before and "4 read" not in beats(page), "nobody asks about Mary"
    page.wait_for_url("**who=Mary*")
    page.keyboard.press("w")
    expect(page.locator(".sentence")).to_contain_text("Where is John?")
    page.locator(".spine .person[data-who=Sandra] text").first.click()
    expect(page.locator(".sentence")).to_contain_text("Where is Sandra?")
    page.keyboard.press("1")
    expect(page.locator(".sentence")).to_contain_text(re.compile("writes where Sandra is"))


def test_an_address_names_the_person(visit):
    page = visit("watch?trace=qa1&segment=7&who=Daniel")
    expect(page.locator(".sentence")).to_contain_text("Where is Daniel?")
    expect(page.locator(".answers button[aria-pressed=true]")).to_have_text("Daniel")


@pytest.mark.parametrize("control", ["reset", "untrained"])
def test_a_control_shows_what_it_gets_wrong(visit, picture, control):
    page = visit(f"watch?trace=qa1&control={control}&segment=9&who=John")
    expect(page.locator(".spine [data-wrong=true]").first).to_contain_text("✗")
    expect(page.locator(".spine .person").first.locator(".score")).to_have_count(1)
    picture(page, f"watch-people-{control}")


def test_ones_own_text_has_a_row_for_each_person(visit):
    page = visit("watch")
    page.get_by_role("button", name="Your own text").click()
    dialog = page.get_by_role("dialog")
    noise = "The report was long and it was read by the whole house. " * 12
    dialog.get_by_role("textbox", name="Text").fill(
        f"Mary went to the garden. {noise} John moved to the office. {noise} Mary moved to the kitchen. Where is John?"
    )
    dialog.get_by_role("button", name="Run").click()
    page.wait_for_url("**trace=live-*", timeout=PATIENCE_MS)
    expect(page.locator(".spine .person")).to_have_count(4)
    page.locator(".answers").get_by_role("button", name="Mary").click()
    expect(page.locator(".sentence")).to_contain_text("Where is Mary?")
    expect(page.locator(".spine .person[data-who=Mary]")).to_contain_text("garden")


def test_words_above_the_segments_of_a_crowd_do_not_lie_over_each_other(visit):
    page = visit("watch?trace=many-facts")
    expect(page.locator(".spine .person")).to_have_count(11)
    boxes = page.locator(".spine").evaluate(
        """(spine) => {
          const first = spine.querySelector("[data-tick]").getBoundingClientRect()
          const above = [...spine.querySelectorAll("text, tspan")].filter((node) => !node.querySelector("tspan"))
            .map((node) => node.getBoundingClientRect()).filter(({ bottom }) => bottom <= first.top + 4)
          return above.map(({ left, right }) => [left, right]).sort(([a], [b]) => a - b)
        }"""
    )
    assert len(boxes) >= 4 and all(one[1] <= other[0] + 1 for one, other in pairwise(boxes)), boxes


def test_of_many_answers_the_likeliest_are_drawn_and_the_table_has_all(visit):
    page = visit("watch?trace=open-words&segment=9")
    card = page.locator(".panel.answers")
    expect(card).to_contain_text("the 12 likeliest of 113")
    expect(card.locator("svg > g")).to_have_count(12)
    expect(card.locator("svg")).to_contain_text("university ✓")
    expect(page.locator(".spine .person")).to_have_count(3)
