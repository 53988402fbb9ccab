"""The world of many facts: each of many people goes to a place once, and any of them is asked for."""

import numpy as np

from rmt.tasks.babi_words import CROWD, NEVER
from rmt.tasks.base import ACTIONS, PLACES, Rng
from rmt.tasks.worlds import Question, World, pick


class Crowd(World):
    """A world of 1 to 16 people, their number log-uniform; always 16 in its lesson."""

    classes, words = (*PLACES, NEVER), (*PLACES, *CROWD)
    most = 16

    def __init__(self, rng: Rng, *, people: int | None = None, **options):
        super().__init__(rng, **options)
        some = int(np.exp(rng.uniform(0, np.log(self.most + 0.999))))
        count = people or (self.most if self.lesson else some)
        self.coming = [CROWD[i] for i in rng.permutation(len(CROWD))[:count]]
        self.place: dict[str, str] = {}  # person -> place

    def tell(self) -> str | None:
        if not self.coming:
            return None
        name, place = self.coming.pop(), pick(self.rng, PLACES)
        self.place[name] = place
        return f"{name} {place}." if self.short else f"{name} {pick(self.rng, ACTIONS)} to the {place}."

    def questions(self) -> list[Question]:
        ask = "{}" if self.short else "Where is {}?"
        return [(ask.format(name), self.place.get(name, NEVER)) for name in CROWD]
