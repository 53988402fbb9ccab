"""Results as rows, the curves drawn of them, and what their titles say."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from tables import measured, score

from rmt.cost import EXACT, LENGTH, OPT, PAPER, PAPER_LENGTH, Convention, Sizes, forward, ratio
from rmt.errors import InputError
from rmt_viz.figures import canvas as shared
from rmt_viz.figures import cost as cost_figures
from rmt_viz.figures import length as length_figure
from rmt_viz.figures.loss import LOOKS
from rmt_viz.figures.theme import HUES
from rmt_viz.findings import cost
from rmt_viz.findings import length as lengths
from rmt_viz.shelf import results
from rmt_viz.shelf.results import Measured
from rmt_viz.widgets import chart

# Reading.


def test_rows_are_read_as_they_stand(write):
    found = write("length", [score(7, 0.9, seconds=None)], made_by={"torch": "x"})
    assert found.command == "made here" and found.about["made_by"] == {"torch": "x"}
    (row,) = found.rows
    assert (row.task, row.segments, row.tokens, row.accuracy, row.control) == ("detect", 7, 448, 0.9, "none")
    assert math.isnan(row.seconds)


def test_a_missing_file_says_what_makes_it(tmp_path):
    for name in results.ROWS:
        with pytest.raises(InputError, match=rf"no assets/results/{name}\.json yet; (recipes/|python -m )"):
            results.read(name, tmp_path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"), ("[]", "no list of results"), ('{"results": 3}', "no list"),
        ('{"results": [3]}', "not a table"), ('{"results": [{}]}', "'task'"),
        (json.dumps({"results": [score(7, 0.9) | {"accuracy": "0.9"}]}), "'accuracy'"),
        (json.dumps({"results": [score(7.5, 0.9)]}), "'segments'"),
        (json.dumps({"results": [score(7, 0.9, checkpoint=None)]}), "'checkpoint'"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_a_sentence(tmp_path, content, told):
    (tmp_path / "length.json").write_text(content)
    with pytest.raises(InputError, match=told):
        results.read("length", tmp_path)


# Length.


def stages(write, twice: dict[int, float]):
    rows = [score(2 * n, share, trained_on=n) for n, share in twice.items()]
    return write("length", [*rows, *(score(n, 1.0, trained_on=n) for n in twice)]).rows


def test_a_line_a_training_stage(write):
    rows = stages(write, {1: 0.4, 2: 0.7, 5: 0.985, 7: 0.99})
    found = lengths.curves(rows, "stages", "detect")
    assert [curve.name for curve in found] == ["1 segment", "2 segments", "5 segments", "7 segments"]
    assert [row.segments for row in found[2].scores] == [5, 10]
    assert (
        lengths.finding(found, "stages", "detect")
        == "Detect: trained on 5 segments or more, 98.5% at twice that length"
    )
    assert "no scores of Reasoning" in lengths.finding(
        lengths.curves(rows, "stages", "reasoning"), "stages", "reasoning"
    )


def test_a_claim_that_fails_is_not_made(write):
    found = lengths.curves(stages(write, {5: 0.99, 7: 0.9}), "stages", "detect")
    told = lengths.finding(found, "stages", "detect")
    assert told == "Detect: trained on 7 segments, 90.0% at 14, less than 98%"


def test_how_far_takes_the_model_that_was_tested_farthest(write):
    rows = [score(7, 1.0), score(4096, 0.995, checkpoint="detect-long", tokens=2_043_904, segment_length=499)]
    rows += [score(1, 1.0, checkpoint="detect-long", tokens=499, segment_length=499), score(3, 0.9, task="reasoning")]
    found = lengths.curves(write("length", rows).rows, "far", "detect")
    assert [(curve.name, len(curve.scores)) for curve in found] == [("Detect", 2), ("Reasoning", 1)]
    told = lengths.finding(found, "far", "detect")
    assert told == "Detect 99.5% at 2,043,904 tokens; Reasoning 90.0% at 192 tokens"


def test_recipes_are_compared_at_one_length_and_one_stage(write):
    rows = [score(64, 0.6), score(64, 1.0, recipe="streams"), score(128, 0.99, recipe="streams")]
    rows += [score(64, 0.1, trained_on=9)]
    found = lengths.curves(write("length", rows).rows, "recipes", "detect")
    told = lengths.finding(found, "recipes", "detect")
    assert told == "Detect at 64 segments: 60.0% with curriculum alone; 100% with curriculum, then streams"


def test_recipes_are_compared_at_the_stage_that_most_of_them_have(write):
    rows = [score(64, 0.6), score(64, 0.8, recipe="more"), score(64, 0.7, trained_on=5)]
    rows += [score(64, 1.0, recipe="streams", trained_on=5, checkpoint="other")]
    found = lengths.curves(write("length", rows).rows, "recipes", "detect")
    assert [curve.scores[0].accuracy for curve in found] == [0.6, 0.8]


def test_recipes_are_compared_at_one_segment_length(write):
    rows = [score(64, 0.6, segment_length=64), score(64, 0.9, recipe="streams", segment_length=64)]
    rows += [score(128, 1.0, recipe="streams", segment_length=499, checkpoint="longer")]
    found = lengths.curves(write("length", rows).rows, "recipes", "detect")
    assert [(curve.name, curve.scores[0].accuracy) for curve in found] == [
        ("curriculum alone", 0.6),
        ("curriculum, then streams", 0.9),
    ]


def test_controls_are_those_of_what_is_drawn(write):
    rows = [score(7, 1.0), score(7, 0.17, control="reset"), score(7, 0.2, control="untrained", task="memorize")]
    rows = write("length", rows).rows
    assert [curve.kind for curve in lengths.curves(rows, "stages", "detect", controls=True)] == ["stage", "control"]
    assert len(lengths.curves(rows, "stages", "detect")) == 1


def test_a_whole_hundred_is_said_only_where_nothing_is_wrong():
    assert lengths.percent(1.0) == "100%" and lengths.percent(0.99999) == "99.99%"
    assert lengths.percent(0.998) == "99.8%" and lengths.percent(0) == "0%"


def test_a_point_finds_a_run_near_its_length(write):
    (row,) = write("length", [score(60, 1.0)]).rows
    runs = [("detect", "detect", "detect", 12), ("other", "detect", "x", 60), ("mine", "detect", "detect-7", 100)]
    assert lengths.nearest(row, runs) == "mine", "its own checkpoint's run goes before a closer one"
    assert lengths.nearest(row, runs[:2]) == "other" and lengths.nearest(row, runs[:1]) is None
    assert lengths.nearest(row, [("m", "memorize", "detect-7", 60)]) is None


def test_the_length_figure_is_the_scores(write):
    rows = [score(1, 0.9), score(64, 0.5), score(1, 0.2, control="reset")]
    curves = lengths.curves(write("length", rows).rows, "stages", "detect", controls=True)
    for theme in ("light", "dark"):
        figure = length_figure.length(curves, "It falls.", by="tokens", theme=theme)
        line, control = (trace for trace in figure.data if trace.mode == "lines+markers")
        assert list(line.x) == [64, 4096] and list(line.y) == [0.9, 0.5] and list(line.customdata[1]) == [0, 1]
        assert control.line.dash == "dot" and control.name == "memory reset"
        assert figure.layout.title.text == "It falls." and figure.layout.xaxis.title.text == "length (tokens)"
        assert figure.layout.xaxis.type == "log"
    ground = figure.data[0]
    assert set(np.round(ground.y, 3)) == {0.85, 0.95, 0.45, 0.55}, "the interval is drawn"
    assert lengths.table(curves)["accuracy"] == [0.9, 0.5, 0.2]


def test_titles_keep_names_as_text_and_break():
    figure = shared.canvas("<b>bold</b> & " + "word " * 40, theme="light", x="", y="", width=300)
    assert (
        figure.layout.title.text.startswith("&lt;b&gt;bold&lt;/b&gt; &amp; word") and "<br>" in figure.layout.title.text
    )


# Cost.


def test_one_way_of_counting_gives_the_papers_ratios():
    found = cost.counts(EXACT, LENGTH)
    assert [count.name for count in found if cost.agrees(count)] == ["no embedding lookup, 2,097,152 tokens"]
    assert cost.agreement(found, 512).endswith(f"come out in one of these {len(found)} ways of counting")
    assert cost.agreement(found[:2], 512).endswith("come out in none of these 2 ways of counting")


def test_a_count_of_ones_own_is_a_row_of_its_own():
    own = Convention("", embedding=False, causal=True)
    found = cost.counts(own, PAPER_LENGTH)
    assert found[-1].name == cost.CHOSEN and cost.same(found[-1], own, PAPER_LENGTH)
    assert len(cost.counts(replace(PAPER, name="mine"), PAPER_LENGTH)) == len(found) - 1


def test_operations_are_the_engines_and_meet_at_one_segment():
    tokens, methods = cost.curves(OPT["OPT-1.3B"], EXACT, LENGTH, 512)
    assert tokens[0] == 512 and tokens[-1] == LENGTH and (np.diff(tokens) > 0).all()
    assert methods["full attention"][0] == methods["rmt"][0] == forward(OPT["OPT-1.3B"], 512)
    assert f"×{ratio(OPT['OPT-1.3B'], LENGTH):.0f} " in cost.headline(OPT["OPT-1.3B"], EXACT, LENGTH, 512)


def test_the_conventions_figure_has_a_dot_a_model_and_row():
    found, models = cost.counts(EXACT, LENGTH), [*OPT.values(), Sizes("<mine>", 2, 64, 2)]
    figure = cost_figures.conventions(found, models, "f", segment=512, chosen=0)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert [trace.name for trace in dots] == [*OPT, "&lt;mine&gt;"] and dots[-1].marker.symbol == "star"
    np.testing.assert_allclose([trace.x[0] for trace in dots], [ratio(sizes, LENGTH) for sizes in models])
    bold = [name for name in figure.layout.yaxis.ticktext if name.startswith("<b>")]
    assert len(bold) == 1 and "2,097,152" in bold[0]
    assert {note.text for note in figure.layout.annotations} == {"paper: ×295, OPT-125M", "paper: ×29, OPT-175B"}


def test_what_was_measured_is_said_in_powers(write):
    rows = [*measured("full attention", 1.8, 1e4), *measured("rmt", 1.0, 0.0)]
    found = cost.methods(write("cost", rows, key="measured").rows)
    assert list(found) == ["rmt", "full attention"]
    assert cost.time_grows(found) == "Time grows with this power of length: RMT 1.00, full attention 1.80"
    assert cost.memory_grows(found).endswith("RMT ×1.00, full attention ×1.73")
    figure = cost_figures.measured(found, "peak_bytes", "f")
    assert [trace.name for trace in figure.data] == ["RMT", "full attention"] and list(figure.data[0].y) == [1e8] * 3
    assert cost.measured_table(found)["tokens"] == [512, 2048, 8192] * 2


def test_what_did_not_fit_is_drawn_open_and_said(write):
    about = {"misfits": [{"method": "rmt", "tokens": 16384}], "measured_on": {"layers": 2, "limit_bytes": 4 * 2**30}}
    result = write("cost", measured("rmt", 1.0, 0.0), key="measured", **about)
    told = cost.measured_on(result)
    assert told == "One decoder of 2 layers. Open signs: it did not fit into 4 GB. Measured by made here"
    figure = cost_figures.measured(cost.methods(result.rows), "seconds", "f", missing=cost.missing(result))
    (sign,) = (trace for trace in figure.data if trace.showlegend is False)
    assert list(sign.x) == [8192, 16384] and sign.marker.symbol[1].endswith("-open")


def test_a_mechanism_has_one_colour_on_every_page():
    for theme in ("light", "dark"):
        drawn = {name: cost_figures.look(name, theme) for name in ("rmt", "RMT", "sliding window", "full attention")}
        assert drawn["rmt"] == drawn["RMT"] == {"color": HUES[theme]["write"], "dash": "solid"}
        hue, dash = LOOKS["sliding-window"]
        assert drawn["sliding window"] == {"color": HUES[theme][hue], "dash": dash}
        assert drawn["full attention"]["color"] not in HUES[theme].values(), "which is no mechanism"
    rows = cost.methods(Measured(name, n, 1.0, 1.0) for name in ("full attention, eager", "RMT") for n in (8, 64))
    figure = cost_figures.measured(rows, "seconds", "f")
    assert {trace.name: trace.line.color for trace in figure.data}["RMT"] == HUES["light"]["write"]


def test_saved_numbers_have_all_their_digits():
    assert chart._column(np.array([1 / 3, math.nan, 1e-12])) == [1 / 3, None, 1e-12]
    narrow = np.float32(0.1)
    assert chart._column(np.array([narrow])) == [0.1] and np.float32(0.1) == narrow, "the number, not its noise"
    assert chart._column([1, 2]) == [1, 2] and chart._column(["a", None]) == ["a", "None"]
