"""What is drawn: slices for the surface, sentences, and the figures for elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
from unpacking import unpack

from rmt.viewer import bundle, slices
from rmt.viewer.sentence import provenance, remark, sentence
from rmt_viz.components import HERE
from rmt_viz.figures.run import run as run_figure
from rmt_viz.shelf.library import Run


@pytest.fixture
def toy(make_trace):
    return lambda **options: Run("toy", make_trace(**options), "recorded")


def test_an_overview_holds_the_run(toy):
    run = toy()
    found = unpack(slices.overview(run))
    assert found["meta"]["n_segments"] == 8 and found["edges"].tolist() == list(range(9))
    assert {(b["kind"], b["segment"]) for b in found["meta"]["beats"]} >= {("write", 3), ("read", 7)}
    assert found["meta"]["marks"] == [{"segment": 3, "kind": "fact"}, {"segment": 7, "kind": "question"}]
    np.testing.assert_allclose(found["change_mean"], run.measures.slot_mean, rtol=1e-6)
    assert found["peak"].tolist() == list(range(8))


def test_scales_are_those_of_the_run_and_its_controls(make_trace):
    run = Run("toy", make_trace("toy", loss=True), "recorded")
    other = Run("toy.reset", make_trace("toy.reset", loss=2.0, control="reset"), "recorded")
    family, found = [run, other], {}
    for each in family:
        found[each.id] = unpack(slices.overview(each, family=family))["meta"]
    names = ("change_scale", "write_scale", "write_mean", "loss_scale", "gain_scale", "rows", "shared")
    ours, theirs = ({name: meta[name] for name in names} for meta in found.values())
    assert ours == theirs and ours["shared"]
    assert ours["loss_scale"] == pytest.approx(np.nanmax(other.trace.arrays["loss"][:])), "the larger of the two"
    assert ours["gain_scale"] == pytest.approx(2.0) and ours["rows"]["change"] >= run.measures.slot_mean.max()
    alone = unpack(slices.overview(run))["meta"]
    assert not alone["shared"] and alone["loss_scale"] < ours["loss_scale"] and alone["gain_scale"] == 0


def test_the_scale_of_each_layer_and_head_is_that_of_all_segments_and_controls(make_trace):
    runs = [Run("toy", make_trace("toy"), "recorded"), Run("toy.reset", make_trace("toy.reset", fact=None), "recorded")]
    ends = [unpack(slices.overview(each, family=runs))["meta"]["maps"] for each in runs]
    assert ends[0] == ends[1]
    maps = {
        name: np.stack([run.trace.arrays[name][:] for run in runs]).astype(np.float32) for name in ("read", "write")
    }
    for layer, head in ((0, 0), (1, 0), (0, 2), (2, 1)):
        for name, found in maps.items():
            for axis, pick in ((3, head), (2, layer)):  # of runs, segments, layers, heads
                found = found.mean(axis) if not pick else found.take(pick - 1, axis)
            assert ends[0][name][layer][head] == pytest.approx(found.max(), abs=1e-5)
            if name == "write":
                tokens = found.mean(-2)
                assert ends[0]["write_tokens"][layer][head] == pytest.approx(tokens.max(), abs=1e-5)
                assert ends[0]["write_mean"][layer][head] == pytest.approx(tokens.mean((1, 2)).max(), abs=1e-5)
    assert unpack(slices.overview(Run("x", make_trace("x", detail="summary"), "recorded")))["meta"]["maps"] is None


def test_slices_of_a_long_run_are_as_big_as_those_of_a_short_one(toy):
    short, long = toy(segments=300), toy(segments=4096, fact=900)
    assert len(slices.overview(long)) < 1.1 * len(slices.overview(short))
    assert len(slices.segment(long, 4000)) < 1.1 * len(slices.segment(short, 200))
    found = unpack(slices.overview(long))
    assert len(found["edges"]) == slices.BINS + 1 and found["meta"]["beats"][0] == {
        "kind": "write",
        "segment": 900,
        "from": ["answers"],
    }
    assert 900 in found["peak"], "a click on the peak's bin goes to the peak"


def test_a_segment_is_what_was_recorded(toy):
    run = toy()
    record, found = run.trace.segments[3], unpack(slices.segment(run, 3))
    assert found["meta"]["tokens"] == record.tokens and found["meta"]["window_start"] == 0
    np.testing.assert_allclose(found["write"], record.write.astype(np.float32).mean((0, 1)), rtol=1e-5)
    np.testing.assert_allclose(found["read"], record.read.astype(np.float32).mean((0, 1)).T, rtol=1e-5)
    np.testing.assert_allclose(found["token_write"], record.token_write, atol=1e-3)
    np.testing.assert_allclose(found["window"], run.measures.change)
    assert found["meta"]["spans"] == [{"kind": "fact", "start": 2, "end": 6}]


def test_a_head_has_maps_of_its_own(toy):
    run = toy()
    record = run.trace.segments[2]
    both, layer = unpack(slices.segment(run, 2, layer=1, head=0)), unpack(slices.segment(run, 2, layer=1))
    np.testing.assert_allclose(both["write"], record.write[1, 0], rtol=1e-5)
    np.testing.assert_allclose(both["token_read"], record.read[1, 0].astype(np.float32).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(layer["write"], record.write[1].astype(np.float32).mean(0), rtol=1e-5)


def test_gain_is_the_loss_that_memory_saves(toy, make_trace):
    run = toy(loss=True)
    reset = Run("toy.reset", make_trace("other", loss=True, fact=None, control="reset"), "recorded")
    found = unpack(slices.segment(run, 1, reset=reset))
    np.testing.assert_allclose(found["gain"], reset.trace.segments[1].loss - run.trace.segments[1].loss)
    assert "gain" not in unpack(slices.segment(run, 1))


@pytest.mark.parametrize("detail", ["memory", "summary", "thin"])
def test_every_detail_can_be_shown(toy, detail):
    run = toy(detail=detail, question=False, label=None)
    overview, found = unpack(slices.overview(run)), unpack(slices.segment(run, 0))
    assert ("write_mean" in overview) == ("write_share" in found) == (detail != "memory")
    assert ("write" in found) == (detail == "thin") and "asked" not in found and "knows_mean" not in overview


def told(parts) -> str:
    return "".join(part["text"] for part in parts)


def test_sentences_say_what_happened(toy):
    run = toy()
    say = lambda s: sentence(run.trace, run.measures, run.trace.segments[s])  # noqa: E731
    assert told(say(3)).startswith("Segment 4 of 8 writes a fact: memory looks most at ")
    assert {"kind": "strong", "text": "writes"} in say(3) and any(part["kind"] == "token" for part in say(3))
    assert "it answers hallway with 0.90; one segment earlier, 0.05." in told(say(3))
    assert "leaves the initial memory" in told(say(0)) and "which is wrong (it is hallway)" in told(say(0))
    assert "reads memory: with it hallway has 0.90, with the initial memory 0.05" in told(say(7))
    share = run.trace.arrays["answer_read"][7].sum(-1).mean()
    assert f"[CLS], where the answer is made, gives memory {share:.0%} of its attention." in told(say(7))
    run.trace.meta["spans"] = [span for span in run.trace.spans if span["kind"] != "fact"]
    assert told(say(3)).startswith("Segment 4 of 8 writes: memory looks most at "), "a fact that nobody found is none"


def test_sentences_hold_movement_against_the_slots_length_and_name_what_was_measured(toy):
    run = toy()
    quiet = next(beat.segment for beat in run.measures.beats if beat.kind == "keep")
    share = run.measures.slot_mean[quiet] / run.measures.length[quiet]
    by = f"it moves by {run.measures.slot_mean[quiet]:.1f}, {share:.0%} of its slots’ length."
    assert f"keeps what memory holds: {by}" in told(sentence(run.trace, run.measures, run.trace.segments[quiet]))
    run = toy(question=False, label=None)
    found = [told(sentence(run.trace, run.measures, run.trace.segments[b.segment])) for b in run.measures.beats]
    kinds = [beat.kind for beat in run.measures.beats]
    assert kinds == ["change", "still", "look"]
    assert "moves memory far: it looks most at " in found[0] and "writes" not in found[0]
    assert "leaves memory as it is: it moves by " in found[1]
    assert f"looks at memory: {run.measures.share('read')[run.measures.beats[2].segment]:.0%} of its tokens" in found[2]


def test_a_memory_that_does_not_move_is_left_as_it_was(toy):
    """As gates that are shut leave it: not "little", and beside no usual movement of 0.0."""
    run = toy()
    said = {}
    for moved, others in ((0.0, 0.0), (0.5, 0.5), (0.5, 0.0)):
        change = np.full_like(run.measures.change, others)
        change[3] = moved
        measures = replace(run.measures, change=change, knows=np.zeros_like(run.measures.knows), beats=())
        said[moved, others] = told(sentence(run.trace, measures, run.trace.segments[3]))
    assert said[0.0, 0.0].startswith("Segment 4 of 8 leaves memory as it was. ")
    assert said[0.5, 0.5].startswith("Segment 4 of 8 changes memory little, by 0.5; 0.5 is usual in this run. ")
    assert said[0.5, 0.0].startswith("Segment 4 of 8 changes memory by 0.5; most segments leave it as it was. ")


def test_a_loss_of_what_was_known_is_said(toy):
    run = toy()
    run.trace.arrays["asked"] = np.array(run.trace.arrays["asked"])
    run.trace.arrays["asked"][5:] = run.trace.arrays["asked"][0]
    assert "loses" in told(sentence(run.trace, run.measures, run.trace.segments[4]))


def test_remarks_are_honest_about_slots_that_are_alike(toy):
    run = toy()
    run.measures.similarity[:3] = [0.999, 0.93, 0.2]
    assert "copies here (mean cosine 0.999)" in remark(run.measures, 0)
    assert "much alike" in remark(run.measures, 1) and "differ" in remark(run.measures, 2)


def test_controls_say_so_first(make_trace):
    assert provenance(make_trace("u", control="untrained"), "recorded")[0].startswith("Control: weights")
    assert provenance(make_trace("t"), "live")[0] == "Live run · checkpoint toy"


def test_the_bundle_keeps_each_module_to_itself():
    script = bundle.script(*bundle.MODULES, "source.js", HERE / "streamlit.js")
    assert "import " not in script.replace("important", "") and script.count("export default") == 1
    on_disk = {path.name for path in bundle.HERE.glob("*.js")}
    assert on_disk == {*bundle.MODULES, "source.js", "kept.js", "offline.js", "widget.js"}, (
        "a module that nothing draws with"
    )


def test_a_run_as_a_figure(make_trace):
    figure = run_figure(make_trace(), theme="dark")
    assert [trace.name for trace in figure.data] == ["write", "read", "change", "knows"]
    assert [note.text for note in figure.layout.annotations] == ["write", "keep", "read"]
    assert list(figure.data[0].x) == list(range(1, 9))


def test_a_figure_of_a_bare_trace_has_the_rows_it_can_have(make_trace):
    figure = run_figure(make_trace(detail="memory", question=False, label=None))
    assert [trace.name for trace in figure.data] == ["change"]
