"""The text of the front page's experiment and the sentences about it; no model is needed."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rmt.errors import InputError
from rmt.tasks.base import NAMES, PLACES
from rmt_viz.findings import experiment as findings
from rmt_viz.shelf.experiment import DEFAULT, Experiment, Told, check, cut, document, find_facts, parse
from rmt_viz.work import experiment as work
from rmt_viz.work.experiment import boundaries

ROOT = Path(__file__).parent.parent
CLASSES = [*PLACES, "never mentioned"]


def told(*facts: str, prose: str = "It rained.", noise: int = 0) -> Experiment:
    """A segment for each fact, given as "Mary garden"."""
    segments = tuple((prose, Told(who, "went", where)) for who, where in map(str.split, facts))
    return Experiment(segments, noise)


def fact(who: str, how: str, where: str) -> dict:
    """A text of one fact as a browser sends it."""
    return {"segments": [[{"who": who, "how": how, "where": where}]], "noise": 1, "model": "trained"}


def rows(*best: str) -> np.ndarray:
    """(1 + F, C): what is answered with 0.9, in the text as it is and with each fact exchanged."""
    found = np.full((len(best), len(CLASSES)), 0.1 / 6)
    found[np.arange(len(best)), [CLASSES.index(name) for name in best]] = 0.9
    return found


# The text.


def test_a_text_is_read_as_it_was_written():
    assert parse(document(DEFAULT)) == DEFAULT
    other = replace(DEFAULT, noise=40, trained=False)
    assert parse(json.loads(json.dumps(document(other)))) == other


def test_facts_in_prose_become_facts():
    prose = "All was  quiet.\nMary went back to the garden. Bob moved to the castle. Mary was in the kitchen."
    facts = [Told("Mary", "went back", "garden"), Told("Bob", "moved", "castle")]
    assert find_facts(prose) == ["All was  quiet.", *facts, "Mary was in the kitchen."]
    assert find_facts("Mary went to the garden, and the sun shone.") == ["Mary went to the garden, and the sun shone."]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ([], "reload"),
        ({"segments": [["a"]], "noise": True, "model": "trained"}, "0 to 400"),
        ({"segments": [["a"]], "noise": 401, "model": "trained"}, "0 to 400"),
        ({"segments": [["a"]], "noise": 1, "model": "mine"}, "0 to 400"),
        ({"segments": "ab", "noise": 1, "model": "trained"}, "reload"),
        ({"segments": [[1]], "noise": 1, "model": "trained"}, "prose or a fact"),
        ({"segments": [[{"who": "Mary"}]], "noise": 1, "model": "trained"}, "prose or a fact"),
        (fact("<b>x", "went", "garden"), "one word"),
        (fact("Mary", "went", "the garden"), "one word"),
        (fact("Mary", "flew", "garden"), "one of"),
        ({"segments": [], "noise": 0, "model": "trained"}, "no text"),
        ({"segments": [["a"]] * 33, "noise": 0, "model": "trained"}, "too long"),
        ({"segments": [["a" * 20_001]], "noise": 0, "model": "trained"}, "too long"),
    ],
)
def test_what_is_no_text_is_a_sentence(wrong, said):
    with pytest.raises(InputError, match=said):
        parse(wrong)


def test_more_facts_than_can_be_exchanged_are_refused():
    assert check(told(*["Mary garden"] * 12))
    with pytest.raises(InputError, match="12 of them"):
        check(told(*["Mary garden"] * 13))


def test_a_fact_is_exchanged_for_a_place_that_no_fact_tells():
    text = told("Mary garden", "John office", "Mary bedroom")
    for at, (_, own) in enumerate(text.facts):
        other, place = text.exchanged(at)
        assert place not in {"garden", "office", "bedroom"}
        places = ["garden", "office", "bedroom"]
        assert [f.where for _, f in other.facts] == [*places[:at], place, *places[at + 1 :]]
        assert other.facts[at][1].who == own.who
    full = told(*(f"Mary {place}" for place in PLACES))
    assert all(full.exchanged(f)[1] != PLACES[f] for f in range(6)), "where all are told, at least another one"
    assert told("Mary castle").exchanged(0)[1] in PLACES


def test_the_truth_is_the_latest_fact_and_is_not_said_where_it_is_not_known():
    text = told("Mary garden", "Bob office", "Mary bedroom", "John castle")
    assert text.people() == [*NAMES, "Bob"]
    assert [text.truth(who) for who in text.people()] == ["bedroom", None, "never mentioned", "never mentioned", None]
    assert told("Mary garden", prose="Then mary laughed.").truth("Mary") is None
    assert text.unknown() == ["Bob", "castle"]


def size(text: str) -> list[int]:
    """A token for each word."""
    ends, at = [], 0
    for word in text.split(" "):
        at += len(word) + bool(at)
        ends.append(at)
    return ends


def test_what_is_too_long_goes_on_in_a_new_segment():
    fact = Told("Mary", "went", "garden")  # five words
    assert cut([["a b c", fact]], size, 8) == (("a b c", fact),)
    assert cut([["a b c d", fact, "e f"]], size, 8) == (("a b c d",), (fact, "e f"))
    assert cut([[" ".join("abcdefghij")], ["k"]], size, 4) == (("a b c d",), ("e f g h",), ("i j",), ("k",))
    with pytest.raises(InputError, match="does not fit"):
        cut([[fact]], size, 4)


def test_long_noise_is_looked_at_here_and_there():
    assert boundaries(2, 0) == (0, 1, 2) and boundaries(2, 3) == (0, 1, 2, 3, 4, 5)
    for noise in (24, 25, 64, 400):
        found = boundaries(3, noise)
        assert found[:4] == (0, 1, 2, 3) and found[-1] == 3 + noise and len(found) <= 4 + work.DRAWN
        assert list(found) == sorted(set(found))


# The sentences.


def test_the_finding_says_what_the_answer_hangs_on():
    text = told("Mary garden", "John office", "Mary bedroom")
    said = findings._asked(text, PLACES, "Mary", rows("bedroom", "bedroom", "bedroom", "kitchen"), CLASSES)
    assert said == (
        "Asked where Mary is, it answers bedroom (0.90). Change Mary’s latest fact to garden and it answers "
        "kitchen; change Mary’s first or John’s and it stays."
    )
    said = findings._asked(text, PLACES, "John", rows("office", "office", "kitchen", "office"), CLASSES)
    assert (
        "Change John’s fact to hallway and it answers kitchen; change Mary’s first or Mary’s latest and it stays."
        in said
    )


def test_an_answer_that_no_fact_moves_is_owed_to_none_however_right_it_is():
    text = told("Mary garden", "John office")
    right = findings._asked(text, PLACES, "Mary", rows("garden", "garden", "garden"), CLASSES)
    assert right.endswith("Change any fact and it stays: nothing that the text tells reaches this answer.")
    wrong = findings._asked(text, PLACES, "Mary", rows("kitchen", "kitchen", "kitchen"), CLASSES)
    assert ", which is wrong: in this text Mary is in the garden." in wrong
    assert "wrong" not in findings._asked(told("Mary castle"), PLACES, "Mary", rows("kitchen", "kitchen"), CLASSES)
    assert findings._asked(told(), [], "Mary", rows("never mentioned"), CLASSES).endswith("The text tells no fact.")


def test_a_changed_fact_is_shown_beside_what_it_was():
    text = told("Mary garden", "John office")
    before = rows("garden", "kitchen", "garden")
    assert findings._changed(text, 0, "kitchen", "Mary", before, CLASSES) == (
        "Mary’s fact says kitchen instead of garden. Asked where Mary is, it answers kitchen (0.90) instead of garden "
        "(0.90)."
    )
    assert "as before" in findings._changed(text, 1, "kitchen", "Mary", before, CLASSES)


def test_what_the_model_does_not_know_is_said():
    assert not findings.notes(told("Mary garden"))
    [note] = findings.notes(told("Bob castle", "Mary garden"))
    assert "“Bob” and “castle” are no words of the four people and six places" in note
    [note] = findings.notes(told("Mary garden", prose="Mary laughed."))
    assert note == "The prose names Mary outside the facts, so no answer about Mary is called wrong."


def test_segments_shorter_than_in_training_are_said_with_what_they_cost():
    row = {"texts": 200, "side_by_side": False}
    rows = [{**row, "tokens": n, "right": right} for n, right in ((6, 0.6), (14, 0.86), (22, 0.985), (64, 1.0))]
    measured = {"segment_length": 64, "rows": [*rows, {**row, "tokens": 36, "right": 1.0, "side_by_side": True}]}
    assert not findings.notes(told("Mary garden"), [22, 40], measured)
    [note] = findings.notes(told("Mary garden"), [7, 6, 8], measured)
    assert "segments of 7 tokens here; in training a segment had 64" in note
    assert "60 % right at 6 tokens a segment, 98 % at 22, and 100 % with the same sentences side by side" in note
    assert not findings.notes(replace(told("Mary garden"), trained=False), [7], measured)


def test_a_moment_says_what_the_slots_took_up_and_what_they_lost():
    text, slots = told("Mary garden", "Mary office", noise=2), np.zeros((5, 8, 2))
    slots[1:, 2, 0], slots[2:, 2, 0], slots[2:, [2, 6], 1] = 1.2, 0.1, 0.9
    first, one, two, three, _ = findings.moments(text, 4, (0, 1, 2, 3, 4), slots, reset=False)
    assert "initial memory" in first
    assert one == (
        "Segment 1 of 4 reads “Mary went to the garden.” Slot 3 takes up Mary’s fact (change it: up to 1.20 of a "
        "slot’s length)."
    )
    assert "Slots 3 and 7 take up Mary’s fact" in two and "Slot 3 loses Mary’s first fact." in two
    assert three == "Segment 3 of 4: background, the slots keep what they carry (largest change 0.00)."
    nothing = findings.moments(text, 4, (0, 1, 2, 4), np.zeros((4, 8, 2)), reset=True)
    assert "No slot takes it up" in nothing[1] and nothing[1].endswith("Then memory is reset.")
    assert nothing[3] == "Segments 3 to 4 of 4: background, nothing is carried. Then memory is reset."
