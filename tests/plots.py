"""Short stories of two people and an object, for the tests of the models of qa2 and qa3."""

import numpy as np

from rmt.tasks.babi import DROPS, TAKES
from rmt.tasks.babi_words import OBJECTS
from rmt.tasks.base import ACTIONS, NAMES, PLACES


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

    def went_on(self):
        """The object is taken, carried to a second place and on to a third."""
        return [*self.carried_on(), self.go(self.one, self.mine[2])]


def plots_of(stories):
    """So many plots, always the same ones."""
    rng = np.random.default_rng(11)
    return [Plot(rng) for _ in range(stories)]
