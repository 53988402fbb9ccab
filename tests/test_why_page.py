"""Why without a browser: an explanation in words and figures, the path of a cause, what the address cuts."""

import json

import numpy as np
import pytest
from app_pages import Idle, open_page
from streamlit.testing.v1 import AppTest

from rmt.errors import InputError
from rmt.intervene import edges
from rmt_viz import session
from rmt_viz.components import credit
from rmt_viz.figures import why as why_figure
from rmt_viz.findings import path as path_finding
from rmt_viz.findings import why as why_finding
from rmt_viz.shelf import bundled_causes
from rmt_viz.shelf.library import Run
from rmt_viz.work import queue


def run(page: str, **params) -> AppTest:
    return open_page(page, query=params)


def explained(n: int = 8, tokens: int = 96) -> dict:
    values = np.zeros(tokens)
    values[40] = 4.0
    return {
        "segments": [0.1, 0.0, 0.0, 5.0, *[0.0] * (n - 5), -1.0], "slots": [0.1, 0.9, 0.0, 0.0], "output": "hallway",
        "classes": ["bathroom", "hallway", "garden"], "local": [1.0, -1.0, 0.0], "memory": [0.0, 5.0, 0.0], "steps": 32,
        "tokens": values.tolist(), "value": 4.0, "baseline": 0.0, "gap": 0.001, "facts": [],
    }  # fmt: skip


def test_an_explanation_in_words_and_figures(make_trace):
    shown, found = Run("toy", make_trace(), "live"), explained()
    assert why_finding.why(found, shown).startswith(
        "hallway depends most on segment 4: without it, its logit is 5.0 lower; the token"
    )
    assert why_finding.local(found) == "Memory adds +5.0 to hallway; without what is its own it would say bathroom"
    assert why_finding.by_slot(found) == "Slot 2 carries most: taking it away lowers the logit by 0.90"
    assert "depends on no earlier segment" in why_finding.why(found | {"segments": [0.0] * 7 + [2.0]}, shown)
    groups = credit.groups(shown, found)
    assert [group["title"] for group in groups][:1] == ["Segment 1"] and len(groups) == 4
    assert any(max(group["values"]) == 4.0 for group in groups)
    assert all(len(group["tokens"]) == len(group["values"]) == 12 for group in groups)
    assert (
        len(why_finding.tokens_table(found, shown)["token"]) == 96
        and why_finding.tokens_table(found, shown)["segment"][40] == 4
    )
    why_figure.local_and_memory(found, "x", theme="dark")


def followed(read=(0.9, 0.0), odds=(6.0, -6.0)) -> dict:
    """A path of two words over two slots at two moments."""
    return {
        "start": 40, "end": 42, "text": "in hallway", "exchanged": "in garden", "output": "hallway", "other": "garden",
        "words": [{"text": " in", "other": " of"}, {"text": " hallway", "other": " garden"}], "moments": [4, 7],
        "p": [[0.99, 0.0], [0.01, 0.9]], "odds": list(odds), "slots": [[0.9, 0.0, 0.0, 0.0], [0.9, 0.0, 0.0, 0.0]],
        "edges": [0, 3], "into": [[0.0, 0.0], [0.9, 0.01]], "carry": [[[0.9, -0.3], [0.0, 0.0]]], "read": list(read),
        "p_into": [[0.99, 0.99], [0.1, 0.99]], "p_carry": [[[0.1, 0.99], [0.99, 0.99]]], "p_read": [0.1, 0.99],
        "reset": [[0.2, 0.2]] * 3, "facts": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "“in garden”: P(hallway) falls from 0.99 to 0.01, P(garden) is 0.90; slot 1 alone makes 90.0% of that"),
        ({"read": (0.9, 0.8)}, "any one of 2 slots is enough for that"),
        ({"read": (0.3, 0.2)}, "no slot alone makes half of that, the most by slots 1 and 4"),
        ({"odds": (6.0, 5.95)}, "Nothing of “in hallway” arrives: told otherwise, P(hallway) stays at 0.01"),
    ],
)
def test_a_path_in_a_sentence(given, told):
    assert told in path_finding.path(followed(**given))


def test_the_edges_of_a_path_have_the_names_of_their_cuts(make_trace):
    found = followed()
    rows = path_finding.edges(found)
    assert edges.write(edges.parse(";".join(row["name"] for row in rows))) == ";".join(row["name"] for row in rows)
    assert {row["name"]: row["share"] for row in rows}["carry@4:1>4"] == -0.3 and len(rows) == 4 + 4 + 2
    assert next(row["label"] for row in rows if row["name"] == "into:2>1") == "“hallway” into slot 1"
    assert {len(column) for column in path_finding.table(found).values()} == {len(rows)}


@pytest.mark.parametrize(
    ("gradient", "without", "marked"),
    [(2.0, 1.9, False), (2.0, 0.1, True), (0.1, 2.0, True), (-1.0, 1.0, True), (0.3, -0.3, False), (5.0, None, False)],
)
def test_credit_by_gradient_that_reading_on_contradicts_is_marked(make_trace, gradient, without, marked):
    assert why_finding.contradicts(gradient, without) == marked
    found = explained()
    found["tokens"][40], found["without"] = gradient, [0.0] * 96
    found["without"][40] = without
    shown = Run("toy", make_trace(), "live")
    (group,) = [group for group in credit.groups(shown, found, 3) if group["title"] == "Segment 4"]
    assert group["marked"][40 - group["first"]] == marked and sum(group["marked"]) == marked
    counted = "Outlined: 1 of" if marked else "none of these"
    assert counted in why_finding.disagreement(found)
    assert "lost without it" in why_finding.tokens_table(found, shown) and why_finding.disagreement(explained()) == ""


def test_the_address_follows_any_word_and_cuts_edges(toys, monkeypatch):
    worker = Idle()
    monkeypatch.setattr(session, "worker", lambda: worker)
    monkeypatch.setattr(queue, "MOST_OWN", 99)  # all pages opened here are one visitor's
    session.result_cache().put(("why", "toy", None), explained() | {"path": followed()})
    at = run("why", **{"trace": "toy", "cut": "read:1"})
    data = next(json.loads(c.proto.json) for c in at.get("bidi_component") if "moments" in c.proto.json)
    assert data["cuts"] == ["read:1"] and data["slots"] == [1, 2, 3, 4]
    assert not worker.asked, "one cut is among the numbers"
    assert {edge["name"] for edge in data["edges"]} == {"into:2>1", "carry@4:1>1", "carry@4:1>4", "read:1"}
    run("why", **{"trace": "toy", "cut": "read:1;read:4"})
    assert [job.about for job in worker.asked] == [("cut", "toy", 40, 42, None, "read:1;read:4")]
    at = run("why", **{"trace": "toy", "from": "3-3"})
    assert worker.asked[-1].about == ("path", "toy", 2, 3, None) and not at.error
    for query in ({"from": "x", "cut": "<b>"}, {"from": "9999-9999"}, {"explain": "4"}):
        assert not run("why", **{"trace": "toy", **query}).error
    at.selectbox(key="trace").select("long").run()
    assert at.query_params == {}, "what was followed is not of another run"


def test_an_explanation_of_other_weights_is_not_shown(toys, monkeypatch, tmp_path):
    one = toys.open("toy")
    monkeypatch.setattr(bundled_causes, "RESULTS", tmp_path)
    document = {**explained(), "made_by": {"fingerprint": "0"}}
    (tmp_path / "why.toy.json").write_text(json.dumps(document))
    assert bundled_causes.why_of(one) == document
    (tmp_path / "why.toy.json").write_text(json.dumps({**document, "made_by": {"fingerprint": "1"}, "x": 0}))
    assert bundled_causes.why_of(one) is None
    (tmp_path / "why.toy.json").write_text("{")
    with pytest.raises(InputError, match="make it again"):
        bundled_causes.why_of(one)
