"""The view and its address, the table of keys, and the traces that can be shown."""

from urllib.parse import parse_qsl

import pytest

from rmt.errors import InputError
from rmt.viewer import keys
from rmt_viz.forms.pick_run import apart
from rmt_viz.server import address
from rmt_viz.shelf.library import Library

LIMITS = {"trace": ["detect", "toy"], "segment": 8, "layer": 4, "slot": 8, "colour": ["write", "read"]}
DEFAULTS = {"trace": "detect", "segment": 5, "colour": "write"}


def test_a_permalink_comes_back_as_it_was():
    values = {"trace": "toy", "segment": 3, "layer": 4, "slot": None, "colour": "read"}
    query = address.link(values, DEFAULTS)
    assert query == "?trace=toy&segment=3&layer=4&colour=read"
    assert address.read(dict(parse_qsl(query[1:])), LIMITS, DEFAULTS) == values


def test_defaults_are_left_out():
    assert address.link(DEFAULTS, DEFAULTS) == ""
    assert address.read({}, LIMITS, DEFAULTS) == DEFAULTS | {"layer": None, "slot": None}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("segment", "0"), ("segment", "9"), ("segment", "-1"), ("segment", "99999999999999999999"), ("segment", ""),
        ("segment", "4.0"), ("segment", "٣"), ("layer", "zz"), ("slot", "1_0"), ("colour", "<script>"),
        ("trace", "../../etc/passwd"), ("trace", ""),
    ],
)  # fmt: skip
def test_bad_values_fall_back(field, text):
    assert address.read({field: text}, LIMITS, DEFAULTS)[field] == DEFAULTS.get(field)


def test_each_key_and_action_stands_once():
    assert len({key.key for key in keys.KEYS}) == len({key.action for key in keys.KEYS}) == len(keys.KEYS)
    assert all(key.shown and key.help for key in keys.KEYS)


def test_the_library_opens_by_name_and_knows_controls(make_trace):
    trace = make_trace("toy")
    make_trace("toy.reset", control="reset")
    shelf = Library(trace.path.parent)
    assert shelf.names() == ["toy"] and shelf.controls("toy") == ["trained", "reset"]
    assert shelf.open("toy").source == "recorded" and shelf.open("toy") is shelf.open("toy")


@pytest.mark.parametrize(
    "id", ["", "nothing", "../toy", "toy/../toy", "toy.trace", "/etc/passwd", "live-short", "a\0b"]
)
def test_ids_that_open_nothing_get_a_sentence(make_trace, id):
    shelf = Library(make_trace("toy").path.parent)
    assert not shelf.has(id)
    with pytest.raises(InputError, match="no such trace"):
        shelf.open(id)


def test_a_live_run_opens_by_an_id_nobody_can_guess(make_trace):
    trace = make_trace("toy")
    shelf = Library(trace.path.parent)
    first, second = shelf.add(trace), shelf.add(trace)
    assert first != second and len(first) > 20 and shelf.open(first).source == "live"
    assert shelf.names() == ["toy"], "live runs are in nobody else's list"


def test_old_live_runs_make_room(make_trace, monkeypatch):
    monkeypatch.setattr("rmt_viz.shelf.library.MOST_LIVE", 2)
    trace = make_trace("toy")
    shelf = Library(trace.path.parent)
    ids = [shelf.add(trace) for _ in range(3)]
    assert [shelf.has(id) for id in ids] == [False, True, True]


def test_runs_with_the_same_title_have_different_ones_in_a_list():
    titles = {"qa1": "Who is where, 12 segments", "qa1-gated": "Who is where, 12 segments", "lm": "A text, 8 segments"}
    assert apart(titles) == titles | {"qa1-gated": "qa1-gated: Who is where, 12 segments"}
