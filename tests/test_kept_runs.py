"""Runs of the app that outlive its server: kept for a time and within a limit, and said to be gone when they are."""

import os

import pytest
from streamlit.testing.v1 import AppTest

from rmt.errors import InputError
from rmt_viz import session
from rmt_viz.shelf import kept_runs
from rmt_viz.shelf.kept_runs import KeptRuns
from rmt_viz.shelf.library import Library


def test_a_run_survives_a_restart_of_the_server(tmp_path, make_trace):
    trace = make_trace("toy")
    id = Library(trace.path.parent, KeptRuns(tmp_path)).add(trace)
    again = Library(trace.path.parent, KeptRuns(tmp_path))
    assert again.has(id) and again.open(id).trace.tokens == trace.tokens
    assert not Library(trace.path.parent).has(id)


def test_runs_go_when_they_are_old_or_too_many(tmp_path, make_trace, monkeypatch):
    kept, trace = KeptRuns(tmp_path), make_trace("toy")
    monkeypatch.setattr(kept_runs, "MOST", 3)
    ids = [f"live-{'x' * 20}{i}" for i in range(5)]
    for i, id in enumerate(ids):
        kept.keep(id, trace)
        os.utime(tmp_path / f"{id}{kept_runs.SUFFIX}", (1e9 + i, 1e9 + i) if i == 4 else None)
    assert [kept.has(id) for id in ids] == [False, False, True, True, False]  # two too many, one too old
    kept.keep("live-" + "y" * 20, trace)
    assert not (tmp_path / f"{ids[4]}{kept_runs.SUFFIX}").exists()


def test_a_run_too_large_for_the_disk_lives_on_without_a_file(tmp_path, make_trace, monkeypatch):
    trace = make_trace("toy")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(trace), "save", full)
    shelf = Library(trace.path.parent, KeptRuns(tmp_path))
    id = shelf.add(trace)
    assert shelf.open(id).trace is trace and not list(tmp_path.glob("live-*"))


def test_a_damaged_file_is_a_run_that_is_gone(tmp_path, make_trace):
    trace = make_trace("toy")
    id = Library(trace.path.parent, KeptRuns(tmp_path)).add(trace)
    (tmp_path / f"{id}{kept_runs.SUFFIX}").write_bytes(b"no trace")
    with pytest.raises(InputError, match="no such trace"):
        Library(trace.path.parent, KeptRuns(tmp_path)).open(id)


@pytest.mark.parametrize("page", ["watch", "attention", "memory"])
def test_an_address_of_a_run_that_is_gone_shows_no_other(page):
    at = AppTest.from_string(f"from rmt_viz.pages import {page}\n{page}.page()", default_timeout=60)
    at.query_params["trace"], at.query_params["segment"] = "live-_xEacel3M3_Q2wi4UzER7Q", "3"
    at.run()
    assert "not here any more" in at.warning[0].value and not at.sidebar.caption
    at.button(key="show another").click().run()
    assert not at.warning and at.sidebar.caption and "trace" not in at.query_params


def test_a_run_can_be_taken_along_as_its_file(make_trace, monkeypatch, tmp_path):
    trace = make_trace("toy")
    shelf = Library(trace.path.parent, KeptRuns(tmp_path))
    monkeypatch.setattr(session, "library", lambda: shelf)
    at = AppTest.from_string("from rmt_viz.forms.pick_run import pick_run\npick_run()", default_timeout=60)
    at.query_params["trace"] = shelf.add(trace)
    at.run()
    assert any("trace file" in element.proto.label for element in at.sidebar.get("download_button"))
