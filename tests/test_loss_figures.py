"""Losses as lines, by position, by history and of one text, and what their titles say."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tables import losses_row

from rmt_viz.figures import loss as loss_figures
from rmt_viz.findings import loss, one_text
from rmt_viz.shelf.library import Library

# Loss.


def table(write, **more):
    rows = [losses_row("none", h, 5.0) for h in (0, 4)] + [losses_row("rmt", 0, 5.0), losses_row("rmt", 4, 4.6)]
    rows += [losses_row("context", 4, 4.2), losses_row("rmt", 4, 5.1, control="reset")]
    return write("lm", rows, **more)


def test_what_memory_saves_is_said_in_nats_and_beside_exact_context(write):
    rows = table(write).rows
    told = loss.gained(rows, [], 4)
    assert (
        told
        == "With 4 segments of history RMT saves 0.40 nats in the first 16 positions, 50% of what exact context saves"
    )
    assert loss.gained(rows, [], 0) == "With 0 segments of history RMT saves nothing"
    compared = [{"kind": "fraction of exact context", "of": {"mechanism": "rmt", "control": "none", "history": 4},
                 "first16": {"fraction": 0.4987, "stderr": 0.02}}]  # fmt: skip
    assert "50% ± 2%" in loss.gained(rows, compared, 4)
    adapted = [row for row in rows if row.control == "none"] + [replace(rows[-1], first16=4.7)]
    assert loss.gained(adapted, compared, 4).endswith(
        "0.40 nats in the first 16 positions, 0.30 of them with memory reset, too"
    )


def test_lines_of_one_history(write):
    rows = table(write).rows
    assert loss.names(rows) == ["RMT", "exact context", "no memory", "RMT, reset"]
    shown = loss.plain_names(rows)
    assert [line.name for line in loss.by_position(rows, 4, shown, log=True)] == shown
    assert [line.name for line in loss.by_position(rows, 0, shown, log=True)] == ["RMT", "no memory"]
    (line,) = loss.by_position(rows, 4, ["RMT"], log=False)
    np.testing.assert_allclose(line.loss[:16], 4.6)
    np.testing.assert_allclose(line.stderr, 0.1)


def test_pooling_keeps_the_mean():
    edges = loss.bins(128, log=True)
    assert edges[0] == 0 and edges[-1] == 128 and (np.diff(edges) > 0).all() and (np.diff(edges)[:4] == 1).all()
    values = np.random.default_rng(0).normal(size=128)
    pooled = loss._pool(values, edges)
    np.testing.assert_allclose((pooled * np.diff(edges)).sum(), values.sum())


def test_a_mechanism_that_reads_no_history_goes_with_every_history(write):
    rows = write("lm", [losses_row("memory-transformer", 0, 5.0), losses_row("rmt", 4, 4.6)]).rows
    assert [row.mechanism for row in loss.at(rows, 4)] == ["memory-transformer", "rmt"]


def test_perplexity_against_history(write):
    rows = table(write).rows
    lines = loss.by_history(rows, ["RMT", "RMT, reset"], loss.FIRST)
    assert loss.falls(lines, loss.FIRST) == "RMT’s perplexity falls from 148.4 to 99.5 with 4 segments of history"
    figure = loss_figures.by_history(lines, "f", theme="dark")
    np.testing.assert_allclose(figure.data[0].y, np.exp([5.0, 4.6]))
    assert list(figure.layout.xaxis.ticktext) == ["0", "4"] and figure.layout.xaxis.tickvals[0] == 0
    assert figure.data[1].line.dash == "dot", "a control looks like one"
    assert loss.history_table(lines)["history (segments)"] == [0, 4, 4]


def test_the_loss_figure_is_the_table(write):
    rows = table(write).rows
    lines = loss.by_position(rows, 4, loss.names(rows), log=False)
    figure = loss_figures.by_position(lines, "f", log=False)
    drawn = {trace.name: trace for trace in figure.data if trace.showlegend is not False}
    np.testing.assert_allclose(drawn["RMT"].y, lines[0].loss)
    assert drawn["RMT"].line.color != drawn["RMT, reset"].line.color
    numbers = loss.table(rows, 4, ["RMT"])
    assert numbers["position"] == list(range(1, 33)) and numbers["loss (nats)"][0] == 4.6


# One text.


@pytest.fixture
def pair(make_trace):
    """A run and its reset control: memory helps the second token of each segment by 2 nats and hurts one by 1."""
    run, reset = make_trace("lm", loss=True, segments=6), make_trace("lm.reset", loss=True, segments=6, control="reset")
    length = run.meta["segment_length"]
    run.arrays["loss"] = np.full(6 * length, 3.0)
    reset.arrays["loss"] = np.full(6 * length, 3.0)
    reset.arrays["loss"][1::length] = 5.0
    reset.arrays["loss"][3 * length + 4] = 2.0
    return run, reset


def test_tokens_that_memory_helped_and_hurt(pair):
    helped, hurt = one_text.jumps(*pair, most=3)
    run = pair[0]
    assert [jump.gain for jump in helped] == [2.0] * 3 and {jump.segment for jump in helped} <= {2, 3, 4, 5, 6}
    (one,) = hurt
    assert one.segment == 4 and one.gain == -1.0
    at = 3 * run.meta["segment_length"] + 4
    assert one.token == run.tokens[at + 1], "the token that is predicted, not the one it is predicted from"
    assert one.before.endswith(run.tokens[at]) and one.after.startswith(run.tokens[at + 2])
    assert one.with_memory == pytest.approx(math.exp(-3)) and one.without == pytest.approx(math.exp(-2))


def test_a_jump_goes_to_the_segment_that_its_token_stands_in(pair):
    run, reset = pair
    length = run.meta["segment_length"]
    reset.arrays["loss"][3 * length - 1] = 9.0  # the last place of segment 3 foretells the first token of segment 4
    (first, *_), _ = one_text.jumps(run, reset)
    assert first.gain == 6.0 and first.segment == 4 and first.token == run.tokens[3 * length]
    at = np.argmax(one_text.table(run, reset)["saved (nats)"])
    assert one_text.table(run, reset)["segment"][at] == 4


def test_the_first_segment_has_nothing_to_remember(pair):
    numbers = one_text.table(*pair)
    assert min(numbers["segment"]) == 2 and len(numbers["segment"]) == 5 * pair[0].meta["segment_length"] - 1
    mean, error, n = one_text.saved(*pair)
    length = pair[0].meta["segment_length"]
    assert n == 5 and mean == pytest.approx(np.mean([2 / length] * 2 + [1 / length] + [2 / length, 2 / (length - 1)]))
    assert error > 0 and one_text.finding(*pair).startswith("Memory saves 0.1")


def test_a_change_within_its_error_is_called_so(pair):
    run, reset = pair
    reset.arrays["loss"] = 3.0 + np.random.default_rng(0).normal(size=len(reset.arrays["loss"]))
    assert "no more than chance would" in one_text.finding(run, reset)


def test_texts_that_differ_are_not_compared(pair, make_trace):
    run, reset = pair
    assert one_text.comparable(run, reset)
    assert not one_text.comparable(run, make_trace("short", loss=True, segments=5))
    assert not one_text.comparable(make_trace("a"), make_trace("b")), "nothing is scored there"


def test_losses_of_a_text_by_position(pair):
    with_memory, without = one_text.lines(*pair, log=False)
    assert (with_memory.control, without.control) == (False, True)
    np.testing.assert_allclose(with_memory.loss, 3.0)
    assert without.loss[1] == pytest.approx(5.0) and without.stderr[1] == 0


def test_a_live_run_has_its_control_beside_it(make_trace, tmp_path):
    shelf = Library(tmp_path / "none")
    run = shelf.add(make_trace())
    control = shelf.add(make_trace("reset", control="reset"), of=run)
    assert shelf.controls(run) == ["trained", "reset"] and shelf.open(control).trace.meta["control"] == "reset"
