"""What is run again for the pages: whole maps in their blocks, slots as words, and where memory is, as slices."""

import threading
from itertools import pairwise

import numpy as np
import pytest
import torch
from families import make
from unpacking import unpack

from rmt.backbone import HFBackbone
from rmt.errors import InputError
from rmt.measure.geometry import distances, paths, plane, signature
from rmt.memory.recurrent import RecurrentMemory
from rmt.model import Model
from rmt.recorder import record, replay
from rmt.viewer import attention_slices, memory_slices, slices
from rmt.viewer.slices import Run
from rmt_viz import session
from rmt_viz.work import on_demand, replays
from rmt_viz.work.replays import Replays

SLOTS = 3


def model(name: str) -> Model:
    backbone = HFBackbone(make(name, dtype=torch.float64), cls_id=1, sep_id=2)
    return Model(backbone, RecurrentMemory(backbone.dim, SLOTS).double(), segment_length=8)


@pytest.fixture(scope="module", params=["gpt2", "bert"])
def recorded(request):
    """(model, run): a decoder and an encoder with a run of three segments, the last one short."""
    reader = model(request.param)
    return reader, Run(request.param, record(reader, np.arange(21), detail="thin"), "live")


# Attention.


def test_a_replay_says_where_memory_stood(recorded):
    reader, run = recorded
    found = replay(reader, run.trace, 2)
    tokens, read, write = (slice(*found.layout[name]) for name in ("tokens", "read", "write"))
    np.testing.assert_allclose(found.attention[:, :, tokens, read], found.read, atol=1e-12)
    np.testing.assert_allclose(found.attention[:, :, write, tokens], found.write, atol=1e-12)
    assert attention_slices.recorded_layout(run.trace, run.trace.segments[2]) == (
        found.layout,
        found.attention.shape[-1],
    )


@pytest.mark.parametrize(("layer", "head", "how"), [(None, None, "mean"), (1, None, "max"), (0, 2, "mean")])
def test_a_map_is_the_head_that_was_asked_for(recorded, layer, head, how):
    reader, run = recorded
    maps = replay(reader, run.trace, 1)
    found = unpack(attention_slices.attention(run.trace, maps, layer=layer, head=head, how=how))
    pick = (slice(None) if layer is None else [layer], slice(None) if head is None else [head])
    wanted = getattr(np, how)(maps.attention[pick[0]][:, pick[1]], axis=(0, 1))
    np.testing.assert_allclose(found["map"], wanted, rtol=1e-6)
    assert found["meta"]["known"] and not found["meta"]["pooled"]
    assert found["meta"]["n"] == len(wanted) == found["meta"]["groups"][-1]["stop"]


def test_shares_of_a_map_are_those_that_were_recorded(recorded):
    reader, run = recorded
    found = unpack(attention_slices.attention(run.trace, replay(reader, run.trace, 0)))["meta"]["shares"]
    for block, share in run.measures.shares.items():
        np.testing.assert_allclose(found[block], share[0].mean(), rtol=1e-5)
    assert (
        unpack(attention_slices.attention(run.trace, replay(reader, run.trace, 0), how="max"))["meta"]["shares"] == {}
    )


def test_blocks_that_were_recorded_are_drawn_before_the_rest_is_known(recorded):
    reader, run = recorded
    whole = unpack(attention_slices.attention(run.trace, replay(reader, run.trace, 1)))["map"]
    found = unpack(attention_slices.attention(run.trace, run.trace.segments[1], state="loading", again=250))
    known = np.isfinite(found["map"])
    assert known.sum() == 2 * 8 * SLOTS and not found["meta"]["known"]
    assert (found["meta"]["state"], found["meta"]["again"]) == ("loading", 250)
    np.testing.assert_allclose(found["map"][known], whole[known], atol=1e-3)


def test_groups_name_every_position(recorded):
    run = recorded[1]
    groups = unpack(attention_slices.attention(run.trace, run.trace.segments[0]))["meta"]["groups"]
    kinds = ["read", "tokens", "write"] if run.trace.meta["causal"] else ["mark", "memory", "mark", "tokens", "mark"]
    assert [group["kind"] for group in groups] == kinds
    assert all(a["stop"] == b["start"] for a, b in pairwise(groups))


def test_large_maps_are_pooled_within_their_groups_and_a_window_is_exact(recorded, monkeypatch):
    reader, run = recorded
    maps = replay(reader, run.trace, 0)
    whole = maps.attention.mean((0, 1))
    monkeypatch.setattr(attention_slices, "MOST", 8)
    monkeypatch.setattr(attention_slices, "WINDOW", 4)
    found = unpack(attention_slices.attention(run.trace, maps))
    edges = found["rows"].tolist()
    assert found["meta"]["pooled"] and len(edges) - 1 < len(whole) and edges[-1] == len(whole)
    assert {group["start"] for group in found["meta"]["groups"]} <= set(edges), "no bin goes over the end of a group"
    for i, (a, b) in enumerate(pairwise(edges)):
        np.testing.assert_allclose(found["map"][i, 0], whole[a:b, edges[0] : edges[1]].max(), rtol=1e-6)
    window = unpack(attention_slices.attention(run.trace, maps, at=(5, 6)))
    assert window["rows"].tolist() == [3, 4, 5, 6, 7] and not window["meta"]["pooled"]
    np.testing.assert_allclose(window["map"], whole[3:7, 4:8], rtol=1e-6)


def test_ways_to_take_heads_together_are_named(recorded):
    with pytest.raises(InputError, match="mean or max"):
        attention_slices.attention(recorded[1].trace, recorded[1].trace.segments[0], how="median")


def test_a_run_without_maps_has_a_frame_of_unknowns(make_trace):
    trace = make_trace(detail="memory", question=False)
    found = unpack(attention_slices.attention(trace, trace.segments[0], state="absent", why="No weights."))
    assert np.isnan(found["map"]).all() and found["meta"]["shares"] == {} and found["meta"]["why"] == "No weights."


# The queue of replays.


def test_a_replay_is_run_once_and_kept(recorded):
    reader, run = recorded
    opened = []
    shelf = Replays(lambda of: opened.append(of.id) or reader)
    first = shelf.replay(run, 1, replays.whole_maps, wait=60)
    assert first.state == "done" and shelf.replay(run, 1, replays.whole_maps) is first and len(opened) == 1
    np.testing.assert_allclose(first.result.attention.sum(-1), 1, atol=1e-9)
    words = shelf.replay(run, 1, replays.slots_as_words, wait=60)
    assert words.result.by == ("head" if run.trace.meta["causal"] else "embeddings")


def test_what_nobody_waits_for_any_more_is_not_run(recorded):
    reader, run = recorded
    shelf = Replays(lambda of: pytest.fail("it was run"))
    shelf.forgotten = -1.0
    assert shelf.replay(run, 0, replays.whole_maps, wait=60).state == "cancelled"
    shelf.forgotten = 60.0
    shelf.open_model = lambda of: reader
    assert shelf.replay(run, 0, replays.whole_maps, wait=60).state == "done", "asked again, it is"


def test_a_viewer_does_not_wait_long(recorded):
    reader, run = recorded
    gate = threading.Event()
    shelf = Replays(lambda of: gate.wait(60) and reader)
    assert shelf.replay(run, 0, replays.whole_maps, wait=0.01).live
    gate.set()
    assert shelf.replay(run, 0, replays.whole_maps, wait=60).state == "done"


def test_maps_that_are_too_large_are_refused(recorded, monkeypatch):
    reader, run = recorded
    monkeypatch.setattr(replays, "LARGEST", 10)
    with pytest.raises(InputError, match="shorter segments"):
        replays.whole_maps(reader, run, 0)


def test_old_maps_make_room(recorded, monkeypatch):
    reader, run = recorded
    monkeypatch.setattr(on_demand, "ROOM", 1)
    shelf = Replays(lambda of: reader)
    jobs = [shelf.replay(run, s, replays.whole_maps, wait=60) for s in range(3)]
    shelf.replay(run, 2, replays.whole_maps)
    assert all(job.state == "done" for job in jobs) and len(shelf.requests) <= 1


def test_weights_that_are_not_here_are_a_sentence(make_trace):
    run = Run("toy", make_trace(), "recorded")
    with pytest.raises(InputError, match="of the checkpoint toy, are not among those of this app"):
        session.maker(run)
    job = Replays(session.maker).replay(run, 0, replays.whole_maps, wait=60)
    assert job.state == "failed" and "Models page" in job.error


# Where memory is.


def test_slices_of_memory_hold_what_was_measured(make_trace):
    run = Run("toy", make_trace(), "recorded")
    found, states = unpack(memory_slices.moves(run)), run.trace.memory
    onto = plane(states)
    np.testing.assert_allclose(found["path"], paths(states, onto), atol=1e-5)
    np.testing.assert_allclose(found["apart"], distances(states)[1], rtol=1e-5)
    assert found["meta"]["variance"] == pytest.approx(onto.variance) and np.isnan(found["previous"][0]).all()
    now = unpack(memory_slices.moment(run, 3))
    np.testing.assert_allclose(now["path"], found["path"][3:5], atol=1e-5)
    np.testing.assert_allclose(np.diag(now["likeness"]), 1, rtol=1e-6)
    np.testing.assert_allclose(now["initial"], found["initial"][4], rtol=1e-5)


def test_two_runs_share_a_plane_where_they_can(make_trace):
    one = Run("one", make_trace("one"), "recorded")
    two = Run("two", make_trace("two", segments=5, fact=1), "recorded")
    other = Run("other", make_trace("other", width=9), "recorded")
    onto = plane(one.trace.memory, two.trace.memory)
    np.testing.assert_allclose(unpack(memory_slices.moves(one, two))["path"], paths(one.trace.memory, onto), atol=1e-5)
    np.testing.assert_allclose(unpack(memory_slices.moves(two, one))["path"], paths(two.trace.memory, onto), atol=1e-5)
    np.testing.assert_allclose(
        unpack(memory_slices.moment(two, 2, one))["path"], onto.project(two.trace.memory[2:4]), atol=1e-5
    )
    assert not unpack(memory_slices.moves(one, other))["meta"]["shared"]


def test_slices_of_a_long_memory_are_as_big_as_those_of_a_short_one(make_trace):
    short = Run("short", make_trace("short", segments=300), "recorded")
    long = Run("long", make_trace("long", segments=4096, fact=900), "recorded")
    assert len(memory_slices.moves(long)) < 1.1 * len(memory_slices.moves(short))
    assert len(memory_slices.changed(long, 900, 900)) < 1.1 * len(memory_slices.changed(short, 3, 3))


def test_pooling_hides_no_short_turn(make_trace):
    run = Run("long", make_trace("long", segments=4096, fact=900), "recorded")
    found, states = unpack(memory_slices.moves(run)), run.trace.memory.astype(np.float64)
    unit = states / np.linalg.norm(states, axis=-1, keepdims=True)
    turned = (unit[901] * unit[900]).sum(-1)
    bin_ = np.searchsorted(found["edges"], 901, side="right") - 1
    assert found["previous_low"][bin_] <= turned.min() + 1e-5 < found["previous"][bin_].min()


def test_a_signature_is_told_with_where_else_it_is_found(make_trace):
    run = Run("toy", make_trace(segments=30, fact=10, second=20), "recorded")
    found, wanted = unpack(memory_slices.changed(run, 10, 10)), signature(run.trace.memory, 10, 10)
    assert found["meta"]["total"] == wanted.total > 0
    assert [each["segment"] for each in found["meta"]["alike"]][:2] in ([0, 20], [20, 0])
    assert all(each["share"] >= memory_slices.ALIKE for each in found["meta"]["alike"])
    np.testing.assert_allclose(found["inside"], wanted.inside, rtol=1e-5)


def test_two_runs_of_unequal_length_are_pooled_alike(make_trace):
    short = Run("short", make_trace("short", segments=40), "recorded")
    found = unpack(slices.overview(short, over=1024))
    assert found["edges"].tolist() == list(range(0, 41, 4)), "as a run of 1,024 segments is, four to a bin"
    assert len(found["change_mean"]) == 10
