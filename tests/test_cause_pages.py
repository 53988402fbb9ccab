"""What if, Facts and Why without a browser: what stands on the page, what is asked of the worker, what goes wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from app_pages import open_page
from streamlit.testing.v1 import AppTest

from rmt.intervene import changes
from rmt.measure.contrast import contrast
from rmt_viz import requests, session
from rmt_viz.figures import facts as facts_figure
from rmt_viz.figures import what_if as what_if_figure
from rmt_viz.findings import facts as facts_finding
from rmt_viz.findings import what_if as what_if_finding
from rmt_viz.shelf import bundled_causes, result_cache

ROOT = Path(__file__).parent.parent
BUNDLED = sorted((ROOT / "assets" / "results").glob("facts.*.json"))
EXAMPLES = sorted((ROOT / "assets" / "what_if").glob("*.trace.safetensors"))


def run(page: str, **params) -> AppTest:
    return open_page(page, query=params)


# First screens.


def test_a_what_if_of_several_people_says_who_is_affected_and_who_stays():
    at = run("what_if", trace="qa1")
    assert not at.error
    assert " becomes " in at.subheader[0].value and "stay; the memories differ from segment" in at.subheader[0].value


@pytest.mark.parametrize("page", ["what_if", "facts", "why"])
def test_the_first_screen_is_a_finished_answer(page):
    at = run(page, trace="detect")
    assert not at.error
    charts = [json.loads(chart.proto.spec)["layout"]["title"]["text"] for chart in at.get("plotly_chart")]
    told = " ".join([at.subheader[0].value, *charts])
    expected = {"what_if": "The answer turns from", "facts": "facts are captured", "why": "depends most on segment"}
    assert expected[page] in told.replace("\\", "")
    assert len(charts) == {"what_if": 2, "facts": 5, "why": 3}[page]
    under = [json.loads(component.proto.json) for component in at.get("bidi_component") if component.proto.json]
    captions = [data["caption"] for data in under if data and "caption" in data]
    assert len(captions) >= len(charts) and not any("\\" in caption for caption in captions), "text, not Markdown"


def test_the_command_behind_each_bundled_number_is_with_it():
    for kind in bundled_causes.NEEDED:
        for path in bundled_causes.RESULTS.glob(f"{kind}.*.json"):
            document = bundled_causes.bundled(kind, path.name.removeprefix(f"{kind}.").removesuffix(".json"))
            assert document["command"].startswith("python -m rmt ") and document["made_by"]["fingerprint"]


def test_examples_are_of_the_runs_that_ship():
    shelf = session.library()
    for path in EXAMPLES:
        one = shelf.open(path.name.split(".")[0])
        made = requests.example(one)
        assert changes.write(changes.parse(made.trace.meta["changes"])) == made.trace.meta["changes"]
        assert made.trace.meta["made_by"]["fingerprint"] == one.trace.meta["made_by"]["fingerprint"]
        found = contrast(one.trace, made.trace)
        assert found.first is not None and np.array_equal(
            found.before[:, : found.first + 1], found.after[:, : found.first + 1]
        )


# What is shown.


def test_two_runs_apart(make_trace):
    one, same, other = make_trace("a"), make_trace("b"), make_trace("c", fact=5)
    nothing = contrast(one, same)
    assert nothing.first is None and not nothing.apart.any() and nothing.classes == ("hallway",)
    assert what_if_finding.what_if(one, same, nothing).startswith("Nothing changes")
    found = contrast(one, other)
    assert found.first == 3 and found.apart[4] > 0 and not found.apart[:4].any()
    assert found.before.shape == found.after.shape == (1, 9)
    told = what_if_finding.what_if(one, other, found)
    assert told == "The answer stays hallway (0.90, now 0.90), though the memories differ from segment 4 on"
    figure = what_if_figure.apart(found, told, theme="dark")
    assert [trace.name for trace in figure.data] == ["Δ P(hallway)", "memories apart"]
    assert set(what_if_finding.what_if_table(found)) >= {
        "after segment",
        "distance of the memories",
        "P(hallway) changed",
    }


def test_runs_of_a_language_model_are_apart_in_loss(make_trace):
    plain = {"classes": [], "label": None, "question": False, "detail": "memory", "loss": True}
    one, other = make_trace("a", **plain), make_trace("b", **{**plain, "fact": 5})
    found = contrast(one, other)
    assert not found.classes and found.loss.shape == (8,) and np.isfinite(found.loss).all()
    assert "mean loss" in what_if_finding.what_if(one, other, found)
    assert [trace.name for trace in what_if_figure.apart(found, "x").data] == [
        "memories apart",
        "loss, changed − as it was",
    ]


MAP = {
    "to": "mean", "answer": "garden", "segments": [0, 1, 2], "unchanged": [0.9] * 3, "whole": [0.0, 0.8, 0.8],
    "without": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], "alone": [[0.0, 0.0], [0.0, 0.8], [0.0, 0.8]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, "no slot is needed; slot 1 alone is enough"),
        ({"alone": [[0.0, 0.8]] * 3}, "no slot is needed; slot 1 alone"),
        ({"alone": [[0.8, 0.8]] * 3}, "none is enough alone"),
        ({"alone": [[0.0, 0.0]] * 3}, "each is enough alone"),
        ({"without": [[0.0, 0.5]] * 3}, "slot 2 is needed"),
        ({"without": [[0.0, 0.0], [0.0, 0.0], [0.4, 0.5]]}, "a slot by itself is needed only before segment 3"),
        ({"without": [[0.5, 0.5]] * 3}, "slots 1 and 2 are needed"),
        ({"whole": [0.0] * 3}, "does not depend on memory"),
    ],
)
def test_the_slot_map_says_what_it_shows(changed, told):
    found = MAP | changed
    finding = what_if_finding.slot_map(found)
    assert told in finding
    figure = what_if_figure.slot_map(found, finding)
    blank = {"runs": 32, "unchanged": 1.0, "right": 0.2, "answer": found["answer"], "share": 0.97}
    alike = f"Without memory 97% of runs with other facts answer {found['answer']}, too"
    assert what_if_finding.slot_map(found | {"blank": blank}).startswith(alike)
    assert what_if_finding.slot_map(found | {"blank": blank | {"answer": "elsewhere"}}) == finding
    assert what_if_finding.slot_map(found | {"blank": blank | {"share": 0.4}}) == finding
    assert figure.data[0].z.shape == (3, 3) and len(figure.data) == 2
    assert len(what_if_finding.slot_map_table(found)["slot"]) == 9


def test_facts_of_every_bundled_checkpoint_can_be_drawn():
    assert BUNDLED
    for path in BUNDLED:
        name, _, control = path.name.removeprefix("facts.").removesuffix(".json").partition(".")
        document = bundled_causes.bundled("facts", f"{name}.{control}" if control else name)
        found = {"trained": document} if not control else {"trained": bundled_causes.bundled("facts", name) or document}
        assert len(facts_figure.survival(found, facts_finding.survival(found)).data) == 2 * len(found)
        for draw in ("used", "interference", *(["readable"] if "probes" in document else [])):
            told = getattr(facts_finding, draw)(document)
            getattr(facts_figure, draw)(document, told, theme="dark")
            columns = getattr(facts_finding, f"{draw}_table")(document)
            assert told and len({len(column) for column in columns.values()}) == 1


def test_what_was_worked_out_is_kept_for_a_while():
    found = result_cache.ResultCache()
    for i in range(result_cache.MOST + 1):
        found.put(("why", str(i)), i)
    assert found.get(("why", "0")) is None and found.get(("why", "1")) == 1
    texts = result_cache.ResultCache(10, len)
    for key, text in (("a", "1234"), ("b", "1234"), ("a", "12345"), ("c", "1")):
        texts.put(key, text)
    assert texts.get("b") == "1234" and texts.held == 10
    texts.put("d", "1")
    assert texts.get("a") is None and [texts.get(key) for key in "bcd"] == ["1234", "1", "1"]
    texts.put("e", "more than there is room for")
    assert texts.get("e") is None and texts.held == 6


@pytest.mark.parametrize("page", ["facts", "why"])
def test_a_run_that_nobody_explained_offers_to(toys, page):
    at = run(page, trace="toy")
    assert any(button.label in ("Explain this run", "Ask for every fact of this run") for button in at.button)
