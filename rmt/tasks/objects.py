"""The worlds of bAbI qa2 and qa3: where an object is, and where it was before.

Weston et al. 2015, "Towards AI-Complete Question Answering" (arXiv 1502.05698).
"""

from collections.abc import Iterable
from typing import ClassVar

from rmt.tasks.babi_words import NEVER, OBJECTS
from rmt.tasks.base import NAMES, PLACES, Rng
from rmt.tasks.worlds import People, Persons, Question, pick

# How often training asks a question of qa3 that is one of qa2, or about an older journey, where 1 is about the latest.
BESIDE, OLDER = 0.1, 0.02


class Objects(People):
    """The world of qa2: where is an object? With the person who carries it, or where it was dropped.

    In its lesson people are asked about, too, and who took what: where an object is follows from both, and a memory
    that is asked about objects alone has less reason to keep them. Half of its stories hand the objects out among
    several people, who may go somewhere only after that: then an object's place needs both who took it and where that
    one is. Its hard questions are about objects left behind by somebody who went on, or else about those that are not
    where somebody went last: to answer with that place needs neither who carries what nor what was left behind.
    """

    classes = (*PLACES, *NAMES, NEVER)
    shares: ClassVar = {"move": 0.5, "take": 0.29, "drop": 0.21}
    in_lesson: ClassVar = {"move": 0.4, "take": 0.35, "drop": 0.25}

    def __init__(self, rng: Rng, **options):
        super().__init__(rng, **options)
        self.apart = self.lesson and rng.random() < 0.5

    def tell(self) -> str:
        if not self.apart:
            return super().tell()
        name, kind = pick(self.rng, self.present), self.rng.random()
        if not self.carried(name) and kind < 0.6:
            self.lies |= {thing: self.place[name] for thing in OBJECTS if thing not in self.carrier}
            return self._take(name) or self._move(name)
        return self._drop(name) if self.carried(name) and kind < 0.3 else self._move(name)

    def questions(self) -> list[Question]:
        hard = [thing for thing, place in self.seen.items() if place != self.latest] if self.hard else []
        lying = {thing: place for thing, place in self.seen.items() if thing in hard and thing not in self.holder}
        hard = [thing for thing, place in lying.items() if place != self.place[self.carrier[thing]]] or hard
        asked = self._where(hard or OBJECTS)
        return [*asked, *self.beside()] if self.lesson and not hard else asked

    def beside(self) -> list[Question]:
        ask = "took {}" if self.short else "Who took the {}?"
        return Persons.questions(self) + [(ask.format(thing), self.carrier.get(thing, NEVER)) for thing in OBJECTS]

    def _where(self, things) -> list[Question]:
        ask = "{}" if self.short else "Where is the {}?"
        return [(ask.format(thing), self.seen.get(thing) or NEVER) for thing in things]


class Before(Objects):
    """The world of qa3: where was an object before a place? Its latest arrival at that place counts.

    Its lesson asks what that of qa2 asks, too, which what was before follows from. Its hard questions are about places
    that an object has left again: to answer with the place where it was last is wrong there.

    journeys: object -> the places where it came since somebody took it last. handled: object -> number of the fact that
    told of its latest taking or dropping, where `n_facts` is that of the latest fact.
    """

    classes, alone = Objects.classes, True  # who asks for the milk before the office says that it was there
    shares: ClassVar = {"move": 0.5, "take": 0.28, "drop": 0.22}
    in_lesson: ClassVar = {"move": 0.6, "take": 0.22, "drop": 0.18}  # what was before is known after two moves
    there: ClassVar = {"take": 0.2, "drop": 0.2}

    def __init__(self, rng: Rng, **options):
        super().__init__(rng, **options)
        self.journeys: dict[str, list[str]] = {}
        self.handled: dict[str, int] = {}
        self.n_facts = 0
        if self.lesson and rng.random() < 0.5:  # the fewer people, the more an object's journeys
            self.present = tuple(rng.permutation(self.present)[: 1 + int(rng.integers(len(self.present)))].tolist())

    def moved(self, name: str, place: str) -> None:
        super().moved(name, place)
        self.n_facts += 1
        for thing in self.carried(name):
            self.journeys[thing].append(place)

    def took(self, name: str, thing: str) -> None:
        super().took(name, thing)
        self.n_facts += 1
        self.journeys[thing], self.handled[thing] = [], self.n_facts

    def dropped(self, name: str, thing: str) -> None:
        super().dropped(name, thing)
        self.n_facts += 1
        self.handled[thing] = self.n_facts

    @property
    def ask(self) -> str:
        return "{} {}" if self.short else "Where was the {} before the {}?"

    def official(self, questions: list[Question]) -> list[Question]:
        """The questions about an object's latest journey, soon after it: all 1,000 of the official file are such.

        Somebody took the object, came to one place with it and then to another, before which it was where they came
        first; and one of the latest five facts is that they took it, or that they dropped it.
        """
        now = self._journeys(thing for thing, fact in self.handled.items() if self.n_facts - fact < 5)
        return [(question, answer) for question, answer in questions if question in now]

    def weights(self, questions: list[Question]) -> list[float]:
        """Questions about the latest journeys are usual; those of older ones, and where it began, are seldom asked.

        Of those beside the task there are many, and each is asked seldom: asked all alike, they were nine of ten, and
        what was before was right for 36 % where 95 % of all answers were.
        """
        seldom = dict.fromkeys(self._journeys(self.journeys), 1.0) | {q: BESIDE for q, _ in self.beside()}
        return [1.0 if answer == NEVER else seldom.get(question, OLDER) for question, answer in questions]

    def _journeys(self, things: Iterable[str]) -> list[str]:
        """The questions about the latest journeys of these objects."""
        return [self.ask.format(thing, place) for thing in things for place in self.journeys[thing][1:]]

    def questions(self) -> list[Question]:
        known = {(t, place): self.before.get(t, {}).get(place) or NEVER for t in OBJECTS for place in PLACES}
        left = {key: was for key, was in known.items() if was != NEVER and self.seen[key[0]] != key[1]}
        hard = left if self.hard else {}
        asked = [(self.ask.format(*key), was) for key, was in (hard or known).items()]
        return [*asked, *self.beside()] if self.lesson and not hard else asked

    def beside(self) -> list[Question]:
        return self._where(OBJECTS) + super().beside()
