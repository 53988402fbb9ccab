"""The widget of a run in a notebook: its selection is Python's, and it answers what the surface asks."""

import numpy as np
import pytest
import torch
from test_export import packed
from transformers import GPT2Config, GPT2LMHeadModel

import rmt
from rmt.errors import InputError
from rmt.viewer import slices

pytest.importorskip("anywidget")


@pytest.fixture(scope="module")
def made():
    """A tiny model and a run of it over 4 segments."""
    torch.manual_seed(0)
    stock = GPT2LMHeadModel(GPT2Config(n_layer=2, n_head=2, n_embd=16, vocab_size=50, n_positions=64))
    model = rmt.wrap(stock, segment_length=6, n_memory=2)
    return model, rmt.record(model, [*range(3, 27)], detail="thin")


def ask(widget, path: str) -> tuple[dict, bytes | None]:
    """What the widget sends back when the surface asks for a path."""
    sent = []
    widget.send = lambda content, buffers=None: sent.append((content, buffers))
    widget._handle_custom_msg({"ask": path, "number": 7}, [])
    ((content, buffers),) = sent
    assert content["number"] == 7
    return content, buffers and buffers[0]


def test_the_selection_is_read_set_and_observed(made):
    model, trace = made
    widget = rmt.widget(trace, model)
    assert widget.record.index == widget.segment
    seen = []
    widget.observe(lambda change: seen.append((change.name, change.old, change.new)), ["segment", "head"])
    first = widget.segment
    widget.segment = 3
    widget.set_state({"head": 1})  # as the browser does
    assert seen == [("segment", first, 3), ("head", None, 1)] and widget.record.index == 3 and widget.head == 1
    with pytest.raises(InputError, match="no segment 4 in this run; it has 4, counted from 0"):
        widget.segment = 4
    assert widget.segment == 3


def test_the_live_model_replays_whole_maps(made):
    model, trace = made
    widget = rmt.widget(trace, model)
    widget.segment = 2
    whole = rmt.replay(model, trace, 2).attention
    np.testing.assert_array_equal(widget.whole_map(), whole)
    widget.layer, widget.head = 1, 0
    np.testing.assert_array_equal(widget.whole_map(), whole[1, 0])
    widget.layer = None
    np.testing.assert_array_equal(widget.whole_map(), whole[:, 0])
    _, data = ask(widget, "attention/2?layer=1&head=0")
    np.testing.assert_allclose(packed(data)[0]["map"], whole[1, 0], rtol=1e-6)
    with pytest.raises(InputError, match=r"rmt\.widget\(trace, model\)"):
        rmt.widget(trace).whole_map()


def test_it_answers_as_the_server_does(made):
    model, trace = made
    widget = rmt.widget(trace, model, page="memory")
    run = widget.run
    assert ask(widget, "overview")[1] == slices.overview(run)
    assert ask(widget, "segment/1?layer=0")[1] == slices.segment(run, 1, layer=0)
    assert packed(ask(widget, "words/1")[1])[0]["meta"]["texts"]
    assert packed(ask(rmt.widget(trace), "words/1")[1])[0]["meta"]["why"]
    for path in ("segment/9", "segment/x", "nothing/1", "changed/1", "memory/-1", "../secret"):
        assert ask(widget, path)[0]["error"]
    with pytest.raises(InputError, match="There is no page 'tour'"):
        rmt.widget(trace, page="tour")
