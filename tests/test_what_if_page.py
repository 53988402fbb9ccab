"""What if without a browser: what is asked of the worker, in which order, and what goes wrong."""

import json

import pytest
from app_pages import Idle, open_page

from rmt.errors import InputError
from rmt_viz import requests, session
from rmt_viz.findings import what_if as what_if_finding
from rmt_viz.server import address
from rmt_viz.work import causes


def run(page: str, **params):
    return open_page(page, query=params)


def test_a_change_in_the_address_is_made_in_the_background(toys, monkeypatch):
    worker = Idle()
    monkeypatch.setattr(session, "worker", lambda: worker)
    at = run("what_if", trace="toy", change="ablate:zero@4-6/1,2")
    assert [job.about for job in worker.asked] == [("toy", "ablate:zero@4-6/1,2")]
    assert at.subheader[0].value.startswith("Does memory cause the answer")
    at.run()
    assert len(worker.asked) == 1, "asked for once"
    at.button(key="what-if cancel").click().run()
    assert worker.asked[0].stop.is_set()


def test_the_control_of_a_what_if_comes_after_its_answer(toys, make_trace, monkeypatch):
    """The answer waits for nothing; the same change in runs with other facts is read meanwhile."""
    worker, cache = Idle(), session.result_cache()
    monkeypatch.setattr(session, "worker", lambda: worker)
    cache.put(("what-if", "toy", "reset@4"), toys.add(make_trace("made", fact=5)))
    at = run("what_if", trace="toy", change="reset@4")
    assert at.get("bidi_component") and not at.subheader[0].value.startswith("Does memory cause")
    (control,) = worker.asked
    assert control.about == ("toy", "reset@4") and at.button(key="blank cancel")
    at.run()
    assert worker.asked == [control], "asked for once"
    at.button(key="blank cancel").click().run()
    control.state = "cancelled"
    assert control.stop.is_set() and "the control is missing" in " ".join(c.value for c in at.run().caption)
    answers = {"runs": 32, "unchanged": 1.0, "right": 0.2, "answer": "office", "share": 0.97}
    cache.put(("blank", "toy", "reset@4"), answers)
    said = " ".join(c.value for c in at.run().caption).replace("\\", "")
    assert what_if_finding.blank(answers) in said and "answer office most often (97%)" in said
    one, other = toys.open("toy"), toys.open("toy.reset")
    assert requests.blank_answer(one, one, "edit:1-2:Mary") == {}, "the text of one run fits no other"
    assert requests.blank_answer(one, other, "reset@4") == {}, "which has no memory"
    assert requests.blank_answer(one, one, "reset@5") is None


def test_another_change_stops_the_control_of_the_one_before(toys, make_trace, monkeypatch):
    worker = Idle()
    monkeypatch.setattr(session, "worker", lambda: worker)
    session.result_cache().put(("what-if", "toy", "reset@4"), toys.add(make_trace("made", fact=5)))
    at = run("what_if", trace="toy", change="reset@4")
    at.query_params["change"] = "reset@5"
    at.run()
    assert [(job.about[1], job.stop.is_set()) for job in worker.asked] == [("reset@4", True), ("reset@5", False)]


@pytest.mark.parametrize("bad", ["evil", "reset@0", "<script>", "edit:1-2:" + "x" * 5000])
def test_a_bad_change_in_the_address_is_a_sentence(toys, bad):
    at = run("what_if", trace="toy", change=bad)
    assert len(at.error) == 1 and "is no change" in at.error[0].value.replace("\\", "")
    assert address.read({"change": bad}, {"change": None}) == {"change": None}


def test_a_made_run_stands_beside_its_original(toys, make_trace):
    one = toys.open("toy")
    id = toys.add(make_trace("made", fact=5))
    session.result_cache().put(("what-if", "toy", "reset@4"), id)
    assert requests.what_if(one, "reset@4").id == id and requests.what_if(one, "reset@5") is None
    at = run("what_if", trace="toy", change="reset@4")
    data = json.loads(at.get("bidi_component")[0].proto.json)
    assert data["run"] == "toy" and data["beside"]["run"] == id and data["fixed"]["change"] == "reset@4"
    assert data["page"] == "what-if"


def test_a_run_too_long_to_wait_for_is_a_sentence(toys):
    with pytest.raises(InputError, match="python -m rmt what-if"):
        requests.start_what_if(toys.open("long"), "reset@4")
    at = run("what_if", trace="long", change="reset@4")
    assert "600 segments" in at.error[0].value


def test_a_form_for_every_kind_of_change(toys):
    from rmt_viz.forms import what_if

    for kind in what_if.KINDS:
        at = run("what_if", trace="toy")
        at.selectbox(key="change kind").select(kind).run()
        assert not at.exception and not at.error, kind


def test_donors_are_runs_of_the_same_weights(toys):
    one = toys.open("toy")
    assert [donor.id for donor in causes.donors_of(one, [one, toys.open("long")])] == ["toy", "long"]
    one.trace.meta["made_by"]["fingerprint"] = "other"
    assert causes.donors_of(toys.open("long"), [one, toys.open("long")]) == [toys.open("long")]
