"""Addresses of pages without the surface, what a page offers where it has nothing to show, what a form offers first."""

import json
from dataclasses import replace

import numpy as np
import pytest
from app_pages import open_page

from rmt.measure.contrast import contrast
from rmt.tasks import TASKS, looks
from rmt.text.tokenizer import open_tokenizer
from rmt_viz import session
from rmt_viz.forms import what_if
from rmt_viz.shelf import example_texts
from rmt_viz.shelf.library import Library


@pytest.fixture
def toys(monkeypatch, make_trace):
    """The app over toy traces that nothing is bundled for."""
    library = Library(make_trace("toy").path.parent)
    make_trace("toy.reset", control="reset", fact=None)
    make_trace("long", segments=600)
    monkeypatch.setattr(session, "library", lambda: library)
    return library


@pytest.mark.parametrize("page", ["facts", "why"])
def test_the_address_names_the_run_that_is_shown(toys, page):
    at = open_page(page, query={"trace": "toy", "control": "reset", "segment": "3"})
    assert at.query_params == {"trace": "toy", "control": "reset"}
    at.selectbox(key="trace").select("long").run()
    assert at.query_params == {}, "the first trace, which the page shows without an address"
    at.query_params["trace"] = "toy"  # a link on the page, or the way back
    at.run()
    assert at.selectbox(key="trace").value == "toy" and at.query_params == {"trace": "toy"}


def test_a_run_without_facts_offers_one_with_facts(monkeypatch, make_trace):
    make_trace("plain", fact=None, question=False, label=None)
    library = Library(make_trace("toy").path.parent)
    monkeypatch.setattr(session, "library", lambda: library)
    at = open_page("facts", query={"trace": "plain"})
    assert "tells no fact" in at.subheader[0].value and not at.button(key="own text").disabled
    links = [link.proto for link in at.get("page_link")]
    assert [(link.page, link.query_string) for link in links] == [("facts", "trace=toy"), ("loss", "")]
    assert not any("tells no fact" in each.value for each in open_page("facts", query={"trace": "toy"}).subheader)
    links = [link.proto for link in open_page("what_if", query={"trace": "plain"}).get("page_link")]
    (link,) = [link for link in links if "tells no fact" in link.label]
    assert (link.page, link.query_string) == ("what-if", "trace=toy")


def test_what_a_form_offers_first_changes_something(toys, monkeypatch, make_trace):
    assert what_if.changed("Mary went to the garden.", ["bathroom", "garden", "never mentioned"]).endswith("bathroom.")
    assert what_if.changed("Mary sleeps.", ["garden", "office"]) == "Mary sleeps."
    places = ["bedroom", "garden", "kitchen"]
    assert what_if.changed("The kitchen is south of the garden.", places) == "The kitchen is south of the bedroom."
    assert what_if.changed("The kitchen is south of the garden.", places[1:]).endswith("of the garden."), "no third one"
    make_trace("away", label=2)
    run_, other = toys.open("toy"), toys.open("away")
    fact = what_if.facts(run_)[0]
    monkeypatch.setattr(what_if, "facts", lambda of: [replace(fact, text="Mary went to the garden.")] * (of is run_))
    assert other.trace.answer != run_.trace.answer
    monkeypatch.setattr(what_if.requests, "donors", lambda of: [run_, other])
    at = open_page("what_if", query={"trace": "toy"})
    assert at.text_input[0].value == "Mary went to the bathroom."
    at.selectbox(key="change kind").select("freeze").run()
    assert at.slider[0].value == (4, 8), "from the segment that tells the fact to the end"
    at.selectbox(key="change kind").select("transplant").run()
    assert at.selectbox(key="donor toy").value == "away", "which has another fact and another answer"


def test_a_what_if_begins_at_the_first_changed_segment(toys, make_trace, monkeypatch):
    make_trace("changed", fact=5)
    monkeypatch.setattr(what_if, "made", lambda run, changes: toys.open("changed"))
    at = open_page("what_if", query={"trace": "toy", "change": "reset@4"})
    data = next(
        json.loads(each.proto.json) for each in at.get("bidi_component") if '"page": "what-if"' in each.proto.json
    )
    first = contrast(toys.open("toy").trace, toys.open("changed").trace).first
    assert data["first"] == first + 1 == 4
    (data,) = (json.loads(each.proto.json) for each in open_page("watch").get("bidi_component"))
    assert data["first"] is None


def test_examples_have_their_facts_in_other_segments_than_the_question():
    for name, config in session.checkpoints().items():
        task, n = config.get("task"), config["segment_length"]
        if task not in TASKS:
            continue
        text = example_texts.example(task, n)
        tokens = open_tokenizer(session.CHECKPOINTS / name / "tokenizer.json").encode(text, add_special_tokens=False)
        ends = np.array([end for _, end in tokens.offsets])
        facts = [match.start() for look in looks(task) for match in look.pattern.finditer(text)]
        if not looks(task):  # no fact of it answers a question alone
            facts = [text.index(fact.strip()) for fact in TASKS[task].example.split("{noise}")[:-1]]
        at = [np.searchsorted(ends, start, "right") // n for start in facts]
        assert at and max(at) < np.searchsorted(ends, text.rindex("?"), "left") // n, name
        assert len(set(at)) == len(at), f"{name}: two facts in one segment"
        example_texts.check(text, config, n)
