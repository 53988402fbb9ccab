"""Attention, Memory and Compare without a browser: what the surface is given, and what the routes answer."""

import json

import pytest
from app_pages import open_page
from streamlit.testing.v1 import AppTest
from test_pages import answer, shelf, surface  # noqa: F401

from rmt_viz import session
from rmt_viz.server import address

DETECT = "Detect: a place, whoever is asked for"


def run(page: str, **params) -> AppTest:
    return open_page(page, query=params)


@pytest.mark.usefixtures("shelf")
def test_attention_opens_as_the_address_says():
    data = surface(run("attention", trace="toy", segment="3", layer="2", how="max", beside="beats"))
    assert data["page"] == "attention" and data["run"] == "toy"
    assert {"segment": 3, "layer": 2, "how": "max", "beside": "beats"}.items() <= data["view"].items()
    assert data["defaults"]["how"] == "mean" and {"how", "beside"} <= set(data["fields"])


@pytest.mark.usefixtures("shelf")
def test_memory_opens_as_the_address_says():
    data = surface(run("memory", trace="toy", slot="2", range="3-5"))
    assert data["page"] == "memory" and data["view"]["range"] == "3-5" and data["view"]["slot"] == 2


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize("page", ["attention", "memory", "compare"])
def test_bad_values_of_a_page_fall_back(page):
    bad = {"how": "<b>", "beside": "-1", "range": "5-3", "show": "nothing", "with_": "../../etc/passwd"}
    data = surface(run(page, trace="toy", **bad))
    assert {**data["defaults"], "layer": None, "head": None, "slot": None}.items() <= data["view"].items()
    assert data["view"].get("beside") is None and data["view"].get("range") is None


@pytest.mark.usefixtures("shelf")
def test_compare_begins_with_a_control_and_takes_another_run():
    at = run("compare", trace="toy")
    data = surface(at)
    assert data["run"] == "toy" and data["beside"]["run"] == "toy.reset" and data["beside"]["over"] == 8
    assert data["beside"]["names"] == [f"{DETECT}, 8 segments", f"{DETECT}, 8 segments, reset"]
    assert data["fixed"]["with"] == "toy.reset" and data["defaults"]["show"] == "watch"
    at.selectbox(key="with").select("other").run()
    assert surface(at)["beside"]["run"] == "other"


@pytest.mark.usefixtures("shelf")
def test_compare_opens_as_the_address_says():
    data = surface(run("compare", trace="other", with_="toy", segment="7", show="memory"))
    assert data["run"] == "other" and data["beside"]["run"] == "toy"
    assert data["view"]["segment"] == 7 and data["view"]["show"] == "memory", "a segment that only the longer run has"


def test_what_can_be_compared(shelf):  # noqa: F811
    assert session.comparable("toy") == ["toy.reset", "other"]
    assert session.comparable("toy.reset") == ["toy", "other"], "a control's own run first"
    assert session.comparable("other") == ["toy", "toy.reset"]


@pytest.mark.usefixtures("shelf")
def test_an_address_wins_when_a_visitor_comes_and_not_when_he_stays():
    at = run("attention", trace="toy")
    at.selectbox(key="trace").select("other").run()
    assert surface(at)["run"] == "other", "the address still says toy"


@pytest.mark.parametrize(("text", "value"), [("3-7", "3-7"), ("7-7", "7-7"), ("7-3", None), ("0-2", None), ("3", None)])
def test_ranges_are_two_numbers_in_order(text, value):
    assert address.read({"range": text}, {"range": 8})["range"] == value


@pytest.mark.parametrize(("text", "value"), [("beats", "beats"), ("4", 4), ("9", None), ("beat", None)])
def test_beside_is_a_segment_or_all_beats(text, value):
    assert address.read({"beside": text}, {"beside": 8})["beside"] == value


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    "path",
    ["attention/0", "attention/7?layer=1&head=0&how=max", "memory", "memory?with=other", "memory/7", "changed/2/5",
     "words/3", "overview?over=4096"],
)  # fmt: skip
def test_routes_of_the_pages_answer_with_slices(path):
    status, body = answer(f"/rmt/trace/toy/{path}")
    head = json.loads(body[4 : 4 + int.from_bytes(body[:4], "little")])
    assert status == 200 and head["meta"]
    if path.startswith(("attention", "words")):
        assert head["meta"]["state"] in ("loading", "absent"), "no weights have made this trace"


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    "path",
    ["attention/8", "attention/x", "attention/1?how=sum", "attention/1?layer=9", "memory/8", "memory?with=nothing",
     "memory?with=../toy", "changed/5/2", "changed/0/8", "changed/-1/2", "words/8", "overview?over=x"],
)  # fmt: skip
def test_routes_of_the_pages_refuse_with_a_sentence(path):
    status, body = answer(f"/rmt/trace/toy/{path}")
    assert status == 404 and json.loads(body)["error"].endswith(".")
