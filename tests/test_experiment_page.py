"""The front page's experiment without a browser: its numbers, its route, its page."""

import json
from pathlib import Path

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from rmt.tasks.base import NAMES
from rmt_viz import session
from rmt_viz.server import experiment as route
from rmt_viz.shelf import experiment as shelf
from rmt_viz.shelf.experiment import DEFAULT, Experiment, Told, document, parse
from rmt_viz.work import experiment as work
from rmt_viz.work.experiment import Experiments, Reader

ROOT = Path(__file__).parent.parent


def told(*facts: str, prose: str = "It rained.", noise: int = 0) -> Experiment:
    """A segment for each fact, given as "Mary garden"."""
    segments = tuple((prose, Told(who, "went", where)) for who, where in map(str.split, facts))
    return Experiment(segments, noise)


# The numbers.


@pytest.fixture(scope="module")
def reader():
    from rmt.checkpoint import load

    return Reader(load(ROOT / "assets" / "checkpoints" / shelf.CHECKPOINT, device="cpu"))


def equal(found, kept, at="") -> None:
    """The same document, numbers up to what another machine's rounding makes of them."""
    if isinstance(kept, dict):
        assert found.keys() == kept.keys(), at
        for name in kept:
            equal(found[name], kept[name], f"{at}.{name}")
    elif isinstance(kept, list) and kept and not isinstance(kept[0], str):
        assert len(found) == len(kept), at
        for i, pair in enumerate(zip(found, kept, strict=True)):
            equal(*pair, f"{at}[{i}]")
    elif isinstance(kept, float):
        assert abs(found - kept) <= 0.003, (at, found, kept)
    else:
        assert found == kept, at


def test_the_bundled_result_is_what_the_models_give_now():
    made = work.make()
    kept = json.loads(shelf.BUNDLED.read_text(encoding="utf-8"))
    for name in ("trained", "untrained", "bare"):
        for side in (made, kept):
            side[name].pop("says"), side[name].pop("moments")  # whose numbers are rounded again
    equal(made, kept)


def test_the_default_shows_what_the_page_is_for(reader):
    kept = shelf.bundled()
    memory, reset = (np.array(kept["trained"]["runs"][name]["effects"][-1]) for name in ("memory", "reset"))  # (Q, F)
    facts, people = kept["trained"]["facts"], kept["trained"]["people"]
    latest = [max((f for f, fact in enumerate(facts) if fact["who"] == who), default=None) for who in people]
    for q, own in enumerate(latest):
        assert memory[q, own] > 0.5 and np.delete(memory[q], own).max() < 0.1, people[q]
    assert not reset.any()
    untrained = kept["untrained"]["runs"]["memory"]
    assert np.array(untrained["effects"]).max() < 0.02 and np.array(untrained["slots"]).max() < 0.02
    bare = kept["bare"]["runs"]["memory"]["answers"][-1][0]
    wrong = [
        name for name, row, right in zip(people, bare, kept["bare"]["truth"], strict=True)
        if kept["bare"]["classes"][int(np.argmax(row))] != right
    ]  # fmt: skip
    assert "Mary" in wrong and kept["bare"]["truth"] == kept["trained"]["truth"], (
        "without its prose it fails, and says so"
    )
    slots = np.array(kept["trained"]["runs"]["memory"]["slots"][-1])  # (M, F)
    assert (slots.max(0)[[own for own in latest if own is not None]] > 0.5).all()


def test_an_edit_gives_what_a_fresh_reader_gives(reader):
    reader.read(DEFAULT)
    edited, _ = DEFAULT.exchanged(3)
    equal(reader.read(edited), Reader(reader.model).read(edited))


def test_pasted_prose_is_cut_into_segments_and_its_facts_are_found(reader):
    prose = "The sea was calm. " * 40 + "Mary went to the kitchen. " + "Nobody spoke of it any more. " * 20
    found = reader.read(parse({"segments": [[prose]], "noise": 0, "model": "trained"}))
    assert max(found["lengths"]) <= 64 and len(found["lengths"]) == len(found["text"]["segments"]) > 5
    assert [fact["who"] for fact in found["facts"]] == ["Mary"]
    words = " ".join(p if isinstance(p, str) else Told(**p).sentence for s in found["text"]["segments"] for p in s)
    assert words.split() == prose.split(), "nothing is left out"
    assert found["truth"][0] == "kitchen"


def test_an_unknown_person_can_be_asked_for(reader):
    found = reader.read(told("Bob garden", "Mary castle"))
    assert found["people"] == [*NAMES, "Bob"] and found["truth"][-1] is None
    assert len(found["runs"]["memory"]["answers"][0][0]) == 5


# The queue and the route.


def test_experiments_open_a_model_once_and_say_what_is_wrong(reader):
    opened = []
    queue = Experiments(lambda trained: opened.append(trained) or reader.model)
    first, second = told("Mary garden"), told("John garden")
    for experiment in (first, second, first):
        job = queue.ask(("experiment", experiment), lambda progress, e=experiment: queue._read(e, progress), wait=60)
        assert job.state == "done"
    assert opened == [True] and job.total > 0


@pytest.fixture
def client(monkeypatch, reader):
    queue = Experiments(lambda trained: reader.model)
    monkeypatch.setattr(session, "experiments", lambda: queue)
    return TestClient(Starlette(routes=route.ROUTES))


def answered(client, body: object) -> dict:
    for _ in range(600):
        answer = client.post(route.PATH, json=body)
        if answer.json().get("state") != "loading":
            return answer.json()
    raise AssertionError("no answer")


def test_the_route_answers_with_the_numbers(client, reader):
    found = answered(client, document(told("Mary garden")))
    assert found.pop("state") == "ready"
    equal(found, reader.read(told("Mary garden")))


def test_the_route_refuses_in_a_sentence(client):
    assert "reload" in client.post(route.PATH, json={"segments": 3}).json()["error"]
    assert client.post(route.PATH, content=b"{", headers={"content-type": "application/json"}).status_code == 400
    form = client.post(route.PATH, content=b"{}", headers={"content-type": "text/plain"})
    assert form.status_code == 400 and "JSON" in form.json()["error"]
    deep = client.post(route.PATH, content=b"[" * 100_000, headers={"content-type": "application/json"})
    assert deep.status_code == 400
    long = client.post(route.PATH, content=b" " * (route.MOST_BYTES + 1), headers={"content-type": "application/json"})
    assert "too long" in long.json()["error"]


# The page.


def page(**params) -> AppTest:
    at = AppTest.from_file(str(ROOT / "frame.py"), default_timeout=60)
    for name, value in params.items():
        at.query_params[name] = value
    at.run()
    assert not at.exception, at.exception
    return at


def test_the_first_page_is_the_experiment_with_its_result():
    data = json.loads(page().get("bidi_component")[0].proto.json)
    assert data["start"] == document(DEFAULT) and data["path"] == route.PATH
    assert data["bundled"]["trained"]["says"]["memory"][0].startswith("Asked where Mary is, it answers ")
    assert data["bundled"]["trained"]["text"] == document(DEFAULT), "the first picture is of the first text"


def test_without_the_bundled_result_the_page_asks_for_it(monkeypatch, tmp_path):
    monkeypatch.setattr(shelf, "BUNDLED", tmp_path / "none.json")
    assert json.loads(page().get("bidi_component")[0].proto.json)["bundled"] is None
