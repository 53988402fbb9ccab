"""What the page Mechanisms says of trained mechanisms: titles, figures, and claims against what was seen."""

from dataclasses import replace

import numpy as np
import pytest

from rmt.memory.words import WORDS
from rmt_viz.figures import glance as glances
from rmt_viz.figures import labels
from rmt_viz.figures import recall as figures
from rmt_viz.findings import claims, glance, verdicts
from rmt_viz.findings import recall as findings
from rmt_viz.shelf.recalled import Recalled, Stretched


def row(mechanism, experiment, x, accuracy, *, control="none", numbers=512, error=0.05, seed=0):
    low, high = max(0.0, accuracy - error), min(1.0, accuracy + error)
    return Recalled(mechanism, seed, experiment, x, accuracy, low, high, 128, numbers, control)


def experiment(mechanism, of, points, **more):
    rows = [row(mechanism, of, x, y, **more) for x, y in points.items()]
    return [*rows, *(row(mechanism, of, x, 0.03, control="reset", **more) for x in points)]


ROWS = [
    *experiment("rmt", "quotation", {1: 0.9, 16: 0.2}), *experiment("landmark", "quotation", {1: 1.0, 16: 0.98}),
    *experiment("rmt", "facts", {1: 0.9, 16: 0.3}),
    *experiment("landmark", "facts", {1: 1.0, 16: 0.97}, numbers=9000),
    *experiment("mamba", "facts", {1: 1.0, 16: 0.6}, numbers=7000),
    *experiment("none", "facts", {1: 0.03, 16: 0.03}, numbers=0),
    *experiment("rmt", "far", {1: 0.9, 7: 0.5, 100: 0.04}), *experiment("landmark", "far", {1: 1.0, 7: 1.0, 100: 0.9}),
]  # fmt: skip


def both(of, rows=ROWS):
    return findings.lines(rows, of), findings.lines(rows, of, "reset")


def test_titles_are_made_of_the_results():
    assert findings.quotation(*both("quotation"), "landmark") == (
        "Of a quotation of 16 tokens Landmark copies 98.0%, RMT copies 20.0%"
    )
    assert findings.facts(*both("facts"), findings.sizes(ROWS)) == (
        "With 512 numbers RMT gives back 30.0% of 16 facts; 2 of 3 others more, the smallest Mamba with 7,000"
    )
    assert findings.far(*both("far"), "landmark") == (
        "A fact is known by RMT up to 7 segments later (50.0%), by Landmark up to 100 segments later (90.0%)"
    )


def test_titles_say_no_more_than_the_intervals_allow():
    close = [*experiment("rmt", "quotation", {16: 0.2}), *experiment("gist", "quotation", {16: 0.25})]
    assert findings.quotation(*both("quotation", close), "gist").endswith("no difference within the error")
    guess = [*experiment("rmt", "quotation", {16: 0.05}), *experiment("gist", "quotation", {16: 0.5})]
    told = findings.quotation(*both("quotation", guess), "gist")
    assert (
        told == "Of a quotation of 16 tokens Gist tokens copies 50.0%, RMT copies 5.0% (within the error of no memory)"
    )
    lost = [*experiment("rmt", "far", {1: 0.05, 7: 0.9})]
    assert findings.far(*both("far", lost), "gist") == "A fact is known by RMT not at all"
    alone = [one for one in ROWS if one.mechanism in ("rmt", "none")]
    assert findings.facts(*both("facts", alone), findings.sizes(alone)).endswith("none of 1 others surely more")


def test_seeds_have_the_widest_interval():
    rows = [row("rmt", "facts", 16, 0.2), row("rmt", "facts", 16, 0.6, seed=1)]
    (point,) = findings.lines(rows, "facts")["rmt"].values()
    assert (round(point.y, 3), round(point.low, 3), round(point.high, 3), point.seeds) == (0.4, 0.15, 0.65, 2)


def test_a_seed_that_lost_the_fact_counts_farther_back_too():
    rows = [*experiment("rmt", "far", {1: 0.9, 7: 0.9, 100: 0.8}), *experiment("rmt", "far", {1: 0.9, 7: 0.1}, seed=1)]
    points = findings.lines(rows, "far")["rmt"]
    assert (points[100].y, points[100].low, points[100].seeds) == (pytest.approx(0.45), pytest.approx(0.05), 2)
    assert findings.reach(findings.lines(rows, "far"), findings.lines(rows, "far", "reset"), "rmt") == 1


def test_the_chosen_one_stands_out_beside_rmt_and_no_memory():
    given, reset = both("facts")
    assert findings.shown(given, "landmark") == ["rmt", "landmark", "none"]
    assert findings.shown(given, "none") == ["rmt", "none"] and findings.shown(given, "titans") == ["rmt", "none"]
    kinds = [findings.standing(given, kind) for kind in ("landmark", "rmt-r", "mamba", "titans")]
    assert kinds == ["landmark", "landmark", "mamba", "titans"], "the first of its family that is trained"
    figure = figures.right(given, reset, ["rmt", "landmark", "none"], "told", x="tokens")
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    assert set(drawn) == {"RMT", "Landmark", "no memory", "Mamba"} and list(drawn["RMT"].y) == [0.9, 0.3]
    assert {name for name, trace in drawn.items() if trace.opacity < 1} == {"Mamba"}, "all others are pale"
    labels = {one.text: (one.x, one.y) for one in figure.layout.annotations}
    assert set(labels) == {"<b>RMT</b>", "<b>Landmark</b>", "no memory"}
    assert labels["<b>RMT</b>"] == (np.log10(16), 0.3) and not figure.layout.showlegend
    dotted = [trace for trace in figure.data if trace.line.dash == "dot" and not trace.name]
    assert [list(trace.y) for trace in dotted] == [[0.03, 0.03], [0.03, 0.03]], "the controls"
    cells = findings.line_table(given, reset, ["rmt"], "tokens")
    assert cells["right"] == [0.9, 0.3] and cells["right with the memory reset"] == [0.03, 0.03]


def test_facts_are_drawn_against_the_numbers_that_cross():
    given, _ = both("facts")
    figure = figures.weighed(given, findings.sizes(ROWS), ["rmt", "landmark", "none"], "told")
    at = {trace.text[0]: (trace.x[0], trace.y[0]) for trace in figure.data if "text" in trace.mode}
    assert set(at) == {"<b>RMT</b>", "<b>Landmark</b>", "no memory"} and len(figure.data) == 4
    assert at["<b>RMT</b>"] == (np.log10(512), 0.3) and at["no memory"][0] < np.log10(512)
    assert findings.better(given, findings.sizes(ROWS)) == ["mamba", "landmark"], "the smallest first"
    close = findings.lines([*ROWS, *experiment("gist", "facts", {16: 0.33})], "facts")
    assert "gist" not in findings.better(close, findings.sizes(ROWS)), "more within the error"


def test_labels_are_apart_and_where_their_lines_end():
    assert labels.spread([0.5, 0.2], [0.1, 0.1], 0) == [0.5, 0.2]
    assert np.allclose(labels.spread([0.5, 0.5, 0.45], [0.1, 0.2, 0.1], 0), [0.5, 0.35, 0.2])
    assert np.allclose(labels.spread([0.05, 0.04, 0.02], [0.1, 0.1, 0.1], 0), [0.25, 0.15, 0.05]), "up from below"


def test_names_of_points_stand_where_there_is_room():
    points = {"RMT": (0.1, 0.5), "at the right end": (0.95, 0.9), "beside RMT": (0.12, 0.5)}
    places = labels.label_places(points, (0, 1), (0, 1), 300)
    assert places["RMT"] == "middle right" and places["at the right end"] == "middle left"
    assert places["beside RMT"] in ("top center", "bottom center")


def test_at_a_glance_it_is_seen_what_each_gives_back():
    table, heads = glance.rows(ROWS), glance.heads(ROWS)
    assert [row.kind for row in table] == ["rmt", "landmark", "mamba", "none"], "family by family"
    assert heads["facts"] == "of 16 facts"
    cells = {row.kind: {of: cell.text for of, cell in row.cells.items()} for row in table}
    assert cells["rmt"] == {"quotation": "20.0%", "facts": "30.0%", "far": "7"}
    assert cells["landmark"]["far"] == "≥ 100" and cells["none"] == {"facts": "(3.0%)"}
    assert glance.finding(table) == (
        "1 of 2 trained mechanisms gives back more than RMT in all three experiments: Landmark"
    )
    equally_far = experiment("gist", "far", {1: 0.9, 7: 0.5, 100: 0.04})
    ahead_in_two = [*experiment("gist", "quotation", {16: 0.9}), *experiment("gist", "facts", {16: 0.9}), *equally_far]
    assert glance.finding(glance.rows([*ROWS, *ahead_in_two])).startswith("1 of 3 trained"), "no farther than RMT"
    guessed = glance.rows(experiment("gist", "facts", {16: 0.06}))
    assert guessed[0].cells["facts"].text == "(6.0%)", "within the error of its control"
    level = [one for one in ROWS if one.mechanism != "landmark"]
    assert glance.finding(glance.rows(level)).startswith("None of 1 trained mechanisms")
    figure = glances.glance(table, heads, ("rmt", "mamba"), "told")
    names, data = figure.layout.yaxis.ticktext, figure.data[0]
    assert len(names) == 8 and "memory tokens" in names[0] and names[1] == "<b>RMT</b>" and names[3] == "Landmark"
    drawn = {
        (names[y], x): (z, text, hint[1])
        for y, x, z, text, hint in zip(data.y, data.x, data.z, data.text, data.customdata, strict=True)
    }
    empty = [place for place, (z, text, _) in drawn.items() if z is None and not text]
    assert len(drawn) == 3 * 8 and len(empty) == 3 * 8 - 8, "what was not run is empty, and as large"
    assert drawn["Landmark", 0] == (0.98, "98.0%", "98.0% (93.0% to 100%)")
    assert drawn["<b>RMT</b>", 2][:2] == (pytest.approx(np.log(8) / np.log(101)), "7")
    assert glance.columns(ROWS)[heads["far"]] == [
        "7, asked up to 100, there 50.0% (45.0% to 55.0%)", "≥ 100, asked up to 100, there 90.0% (85.0% to 95.0%)",
        "not run", "not run",
    ]  # fmt: skip


def test_lines_of_a_family_are_told_apart():
    looks = {}
    for words in WORDS:
        looks.setdefault(words.family, []).append((words.hue, words.dash))
    assert all(len(set(family)) == len(family) for family in looks.values())


def longer(reads, times, tuned, below_window, below_extrapolation=np.nan):
    return Stretched(reads, times, 128 * times, tuned, 16, 4.0, 0.05, below_window, 0.01, below_extrapolation, 0.01)


LONGER = [
    longer("window of training", 1, False, np.nan), longer("extrapolation", 2, False, -0.5),
    longer("interpolation", 2, False, -0.2, 0.3), longer("interpolation", 2, True, 0.1, 0.01),
]  # fmt: skip


def test_longer_texts_are_told_by_paired_differences():
    told = findings.stretched(LONGER)
    assert told.endswith("than extrapolation at 1 of 1 lengths as the model is, at 0 of 1 lengths after a short tuning")
    figure = figures.stretched(LONGER, "told")
    assert {trace.name for trace in figure.data if len(trace.x)} == {
        "window of training", "extrapolation", "interpolation", "interpolation, tuned"
    }  # fmt: skip


def test_claims_are_held_against_the_results():
    seen = claims.Seen(ROWS, LONGER)
    held = {claim.source + claim.says: claim.held_against(seen) for claim in claims.CLAIMS}
    assert held["Landmark (2305.16300)A summary of one size loses specific tokens as there are more"] == (
        claims.HOLDS, "RMT copies 90.0% of 1 token, 20.0% of 16"
    )  # fmt: skip
    verdict = {claim.says: claim.held_against(seen)[0] for claim in claims.CLAIMS}
    assert verdict["A landmark for each block gives specific tokens back"] == claims.HOLDS
    assert verdict["What is stored is found however long ago"] == claims.HOLDS
    assert verdict["A passage that fits is found however long ago"] == claims.UNKNOWN
    assert verdict["Plain positions fail beyond the trained length"] == claims.HOLDS
    assert verdict["Interpolated positions beat plain ones there"] == claims.HOLDS
    assert verdict["After a short tuning they still do"] == claims.NOT, "one error is not enough"
    assert claims.finding(seen).startswith("7 of") and len(claims.table(seen)["here"]) == len(claims.CLAIMS)


def test_claims_of_a_family_begin_with_those_about_the_chosen_one():
    family = claims.of_family("landmark")
    assert [claim.about for claim in family[:3]] == ["landmark", "landmark", "rmt-r"]
    assert {findings.FAMILY[claim.about] for claim in family} == {"retrieval"} and not claims.of_family("none")
    known = {words.kind for words in WORDS}
    assert {claim.about for claim in claims.CLAIMS} <= known
    silent = known - {claim.about for claim in claims.CLAIMS}
    assert silent == {"none", "context", "sliding-window"}, "every other mechanism has its claim"


def test_a_claim_of_all_lengths_is_open_where_one_is_within_the_error():
    beats = next(claim for claim in claims.CLAIMS if claim.says == "Interpolated positions beat plain ones there")
    two = [longer("interpolation", 2, False, -0.2, 0.3), longer("interpolation", 4, False, -0.2, 0.01)]
    assert beats.held_against(claims.Seen((), two))[0] == claims.OPEN


def test_a_claim_falls_with_its_results():
    other = {"rmt": "landmark", "landmark": "rmt"}
    turned = [replace(one, mechanism=other.get(one.mechanism, one.mechanism)) for one in ROWS]
    assert verdicts.better("landmark", "rmt", "quotation")(claims.Seen(ROWS))[0] == claims.HOLDS
    assert verdicts.better("landmark", "rmt", "quotation")(claims.Seen(turned))[0] == claims.NOT
    turned = [replace(one, x={1: 16, 16: 1}[one.x]) for one in ROWS if one.experiment == "quotation"]
    assert verdicts.loses_quotations("rmt")(claims.Seen(turned))[0] == claims.NOT
    lost = experiment("rmt", "quotation", {1: 0.05, 16: 0.03})
    assert verdicts.loses_quotations("rmt")(claims.Seen(lost))[0] == claims.UNLEARNED
    assert claims.CLAIMS[-1].held_against(claims.Seen(ROWS))[0] == claims.UNKNOWN
    assert claims.finding(claims.Seen()).endswith(f"({len(claims.CLAIMS)} not measured)")


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ({1: 0.9, 16: 0.5}, {1: 0.9, 16: 0.2}, claims.HOLDS), ({1: 0.9, 16: 0.5}, {1: 0.9, 16: 0.52}, claims.HOLDS),
        ({1: 0.9, 16: 0.2}, {1: 0.9, 16: 0.5}, claims.NOT), ({1: 0.9, 16: 0.03}, {1: 0.9, 16: 0.04}, claims.OPEN),
        ({1: 0.04, 16: 0.03}, {1: 0.03, 16: 0.04}, claims.UNLEARNED),
        ({1: 0.04, 16: 0.03}, {1: 0.99, 16: 0.90}, claims.UNLEARNED),
    ],
)  # fmt: skip
def test_as_much_is_more_than_no_difference(one, other, found):
    """Where nothing is given back there is nothing to be equal in; what was never learned is not compared."""
    rows = [*experiment("performer", "facts", one), *experiment("context", "facts", other)]
    assert verdicts.as_much("performer", "context", "facts")(claims.Seen(rows))[0] == found


def test_reach_is_compared_where_one_of_them_knew():
    far = [*experiment("ernie-doc", "far", {1: 0.9, 7: 0.5, 100: 0.04}), *experiment("feedback", "far", {1: 0.03})]
    far += experiment("transformer-xl", "far", {1: 0.9, 7: 0.04})
    seen = claims.Seen(far)
    found = verdicts.farther("ernie-doc", "transformer-xl")(seen)
    assert found == (claims.HOLDS, "segments later known: ERNIE-Doc up to 7, Transformer-XL up to 1")
    assert verdicts.farther("transformer-xl", "ernie-doc")(seen)[0] == claims.NOT
    assert verdicts.farther("feedback", "feedback")(seen)[0] == claims.UNLEARNED, "neither knew"
    assert verdicts.reaches("ernie-doc", 7)(seen)[0] == claims.HOLDS
    assert verdicts.reaches("ernie-doc", 100)(seen)[0] == claims.NOT
    assert verdicts.reaches("feedback", 1)(seen)[0] == claims.UNLEARNED
    assert verdicts.farther("ernie-doc", "mamba")(seen)[0] == claims.UNKNOWN


def test_what_is_not_carried_holds_nothing():
    rows = [*experiment("memory-transformer", "far", {1: 0.04}), *experiment("memory-transformer", "facts", {1: 0.05})]
    nothing = verdicts.holds_nothing("memory-transformer")
    assert nothing(claims.Seen(rows)) == (claims.HOLDS, "Memory Transformer, of one fact: 5.0%")
    rows = [*experiment("memory-transformer", "far", {1: 0.9}), *experiment("memory-transformer", "facts", {1: 0.9})]
    assert nothing(claims.Seen(rows))[0] == claims.NOT and nothing(claims.Seen())[0] == claims.UNKNOWN
