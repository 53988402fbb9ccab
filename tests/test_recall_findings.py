"""What the page Mechanisms says of trained mechanisms: titles, figures, and claims against what was seen."""

import numpy as np

from rmt.memory.words import WORDS
from rmt_viz.figures import recall as figures
from rmt_viz.findings import claims
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
        "Of 16 facts RMT gives back 30.0% with 512 numbers; 2 of 3 others more, the smallest Mamba with 7,000"
    )
    assert findings.far(*both("far"), "landmark") == (
        "A fact is known by RMT up to 7 segments later (50.0%), by Landmark up to 100 segments later (90.0%)"
    )


def test_titles_say_no_more_than_the_intervals_allow():
    close = [*experiment("rmt", "quotation", {16: 0.2}), *experiment("gist", "quotation", {16: 0.25})]
    assert findings.quotation(*both("quotation", close), "gist").endswith("no difference within the error")
    guess = [*experiment("rmt", "quotation", {16: 0.05}), *experiment("gist", "quotation", {16: 0.5})]
    told = findings.quotation(*both("quotation", guess), "gist")
    assert told == "Of a quotation of 16 tokens Gist tokens copies 50.0%, RMT copies 5.0%, as without memory"
    lost = [*experiment("rmt", "far", {1: 0.05, 7: 0.9})]
    assert findings.far(*both("far", lost), "gist") == "A fact is known by RMT not at all"
    alone = [one for one in ROWS if one.mechanism in ("rmt", "none")]
    assert findings.facts(*both("facts", alone), findings.sizes(alone)).endswith("none of 1 others surely more")


def test_seeds_have_the_widest_interval():
    rows = [row("rmt", "facts", 16, 0.2), row("rmt", "facts", 16, 0.6, seed=1)]
    (point,) = findings.lines(rows, "facts")["rmt"].values()
    assert (round(point.y, 3), round(point.low, 3), round(point.high, 3), point.seeds) == (0.4, 0.15, 0.65, 2)


def test_the_family_of_the_chosen_one_is_drawn():
    given, reset = both("quotation", [*ROWS, *experiment("gist", "quotation", {16: 0.5})])
    assert findings.shown(given, "landmark") == ["rmt", "landmark"] and findings.shown(given, "mamba") == ["rmt"]
    figure = figures.right(given, reset, ["rmt", "landmark", "gist"], "told", x="tokens")
    drawn = {trace.name: trace for trace in figure.data if trace.name}
    assert list(drawn) == ["RMT", "Landmark", "Gist tokens"] and list(drawn["RMT"].y) == [0.9, 0.2]
    dotted = [trace for trace in figure.data if trace.line.dash == "dot" and not trace.name]
    assert [list(trace.y) for trace in dotted] == [[0.03, 0.03], [0.03, 0.03]], "the controls"
    cells = findings.line_table(given, reset, ["rmt"], "tokens")
    assert cells["right"] == [0.9, 0.2] and cells["right with the memory reset"] == [0.03, 0.03]


def test_facts_are_drawn_against_the_numbers_that_cross():
    given, _ = both("facts")
    figure = figures.weighed(given, findings.sizes(ROWS), ["rmt", "landmark"], "told")
    at = {trace.text[0]: (trace.x[0], trace.y[0]) for trace in figure.data}
    assert at["<b>RMT</b>"] == (np.log10(512), 0.3) and at["<b>no memory</b>"][0] < np.log10(512)
    assert sum("text" in trace.mode for trace in figure.data) == 2


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
    verdicts = {claim.says: claim.held_against(seen) for claim in claims.CLAIMS}
    assert verdicts["A summary of one size loses specific tokens as there are more"] == (
        claims.HOLDS, "RMT copies 90.0% of 1 token, 20.0% of 16"
    )  # fmt: skip
    assert verdicts["A landmark for each block gives specific tokens back"][0] == claims.HOLDS
    assert verdicts["What is stored is found however long ago"][0] == claims.HOLDS
    assert verdicts["A passage that fits is found however long ago"][0] == claims.UNKNOWN
    assert verdicts["Plain positions fail beyond the trained length"][0] == claims.HOLDS
    assert verdicts["Interpolated positions beat plain ones there"][0] == claims.HOLDS
    assert verdicts["After a short tuning they still do"][0] == claims.NOT, "one error is not enough"
    assert claims.finding(seen).startswith("7 of") and len(claims.table(seen)["here"]) == len(claims.CLAIMS)


def test_a_claim_of_all_lengths_is_open_where_one_is_within_the_error():
    beats = next(claim for claim in claims.CLAIMS if claim.says == "Interpolated positions beat plain ones there")
    two = [longer("interpolation", 2, False, -0.2, 0.3), longer("interpolation", 4, False, -0.2, 0.01)]
    assert beats.held_against(claims.Seen((), two))[0] == claims.OPEN


def test_a_claim_falls_with_its_results():
    turned = [row(one.mechanism, one.experiment, one.x, 1 - one.accuracy, control=one.control) for one in ROWS]
    seen = claims.Seen(turned, ())
    assert claims.CLAIMS[0].held_against(seen)[0] == claims.NOT and claims.CLAIMS[1].held_against(seen)[0] == claims.NOT
    assert claims.CLAIMS[-1].held_against(seen)[0] == claims.UNKNOWN
    asked = [row("bm25", "facts", 16, 0.9), row("bm25", "facts", 16, 0.5, control="unannounced")]
    needs = next(claim for claim in claims.CLAIMS if "right query" in claim.says)
    assert needs.held_against(claims.Seen(asked))[0] == claims.HOLDS
    assert needs.held_against(claims.Seen([asked[0], row("bm25", "facts", 16, 0.88, control="unannounced")]))[0] == (
        claims.OPEN
    )
