"""Addresses of pages without the surface, and what a page offers where it has nothing to show."""

import pytest
from app_pages import open_page

from rmt_viz import session
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
