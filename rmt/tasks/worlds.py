"""The worlds of bAbI qa1 and qa5: people who move, take, drop and give.

qa2 and qa3 are in `rmt.tasks.objects`, qa4 in `rmt.tasks.relations`, many facts in `rmt.tasks.crowd`.
Weston et al. 2015, "Towards AI-Complete Question Answering" (arXiv 1502.05698). The sentences, the meaning of the
questions and the frequency of each kind of fact are those of the paper's files; the stories are generated here and
have no end. A world also answers questions that the official files do not ask, about people and objects that were
never mentioned: NEVER.
"""

from typing import ClassVar

import numpy as np

from rmt.tasks.babi_words import (
    CLOSINGS,
    DROPS,
    GIVERS,
    GIVES,
    MOVES,
    NEVER,
    OBJECTS,
    OPENINGS,
    TAKES,
)
from rmt.tasks.base import ACTIONS, NAMES, PLACES, Rng

Question = tuple[str, str]  # the text of a question, and its answer: one of CLASSES


def pick(rng: Rng, options, weights: list[float] | None = None):
    """Draw one of the options, uniformly or as often as the weights say."""
    if weights is None:
        return options[int(rng.integers(len(options)))]
    return options[int(rng.choice(len(options), p=np.array(weights) / sum(weights)))]


class World:
    """An endless story: `tell` makes its next fact, `questions` lists all questions that it can answer by then.

    short: facts and questions have two or three words, with which a small model learns to bind them first. varied: half
    of the moves use other words than the official ones. absent: some of the people never do anything, so that however
    long the story is, it never mentions them. lesson: an easier story to begin with, where the world has one. hard:
    only the questions that a shortcut answers wrongly, where the world has such; it says which shortcut. unseen: tell
    only what is kept from training, where the world keeps something.
    """

    classes: tuple[str, ...]
    words: tuple[str, ...] = (*PLACES, *NAMES)  # of its facts, that a background has by chance, too
    alone = False  # whether questions are asked apart, since one may say what answers another

    def __init__(
        self, rng: Rng, *, short: bool = False, varied: bool = False, absent: bool = False, lesson: bool = False,
        hard: bool = False, unseen: bool = False,
    ):  # fmt: skip
        self.rng, self.short, self.varied, self.absent = rng, short, varied, absent
        self.lesson, self.hard, self.unseen = lesson, hard, unseen

    def tell(self) -> str | None:
        """Tell the next fact as a sentence; None where there is none."""
        raise NotImplementedError

    def questions(self) -> list[Question]:
        """All questions that can be asked now, with their answers."""
        raise NotImplementedError

    def beside(self) -> list[Question]:
        """Questions beside the task's own, of what its answers follow from; where there is a lesson, it asks them."""
        return []

    def official(self, questions: list[Question]) -> list[Question]:
        """The questions among these that the official files might ask now."""
        return questions

    def weights(self, questions: list[Question]) -> list[float] | None:
        """How often each of these questions is asked, relative to the others; None for all alike."""
        return None


class People(World):
    """A world of people who go from place to place, carry objects and hand them on; only possible facts are told.

    All people and objects have a place from the start, but a reader knows only what was told: a person who takes the
    milk before their first move takes it at an unknown place. In the lesson nobody does, whoever takes an object first
    finds it where they are, there are as many takings as moves, and most facts are about those who carry something or
    did last: so among few facts there is an object whose place is known, and it was carried on, or left behind.
    """

    names: tuple[str, ...] = NAMES
    shares: ClassVar = {"move": 1.0}  # frequency of each kind of fact
    in_lesson: ClassVar = shares
    there: ClassVar = {"take": 1.0, "drop": 0.2}  # share of sentences that end in "there"

    def __init__(self, rng: Rng, **options):
        super().__init__(rng, **options)
        self.place = {name: pick(rng, PLACES) for name in self.names}
        self.present = self.names  # who does something
        if self.absent:
            count = 1 + int(rng.integers(len(self.names) - 1))
            self.present = tuple(self.names[i] for i in rng.permutation(len(self.names))[:count])
        self.lies = {thing: pick(rng, PLACES) for thing in OBJECTS}  # object -> where it is while nobody carries it
        self.holder: dict[str, str] = {}  # object -> who carries it
        self.known: set[str] = set()  # people whose place was told
        self.seen: dict[str, str | None] = {}  # object -> the place where it is known to be
        self.carrier: dict[str, str] = {}  # object -> who carries it, or did last
        self.latest: str | None = None  # where somebody went last
        self.before: dict[str, dict[str, str | None]] = {}  # object -> place -> where it was before it came there
        self.apart = False  # see `rmt.tasks.objects`
        self.gifts: set[tuple[str, str, str]] = set()  # giver, object, receiver
        self.given: dict[tuple[str, ...], str] = {}  # (role asked for, the other parts of a gift) -> answer: see Gifts
        self.gift_of: dict[tuple[str, ...], int] = {}  # (role asked for, the other parts of a gift) -> its number

    def tell(self) -> str:
        shares = self.in_lesson if self.lesson else self.shares
        kinds = list(shares)
        while True:
            kind = self.rng.choice(kinds, p=list(shares.values())) if len(kinds) > 1 else kinds[0]
            people = [self.present[i] for i in self.rng.permutation(len(self.present))]
            if self.lesson and self.rng.random() < 0.7:
                people.sort(key=lambda name: name not in self.carrier.values())
            for name in people:
                if fact := getattr(self, f"_{kind}")(name):
                    return fact

    def moved(self, name: str, place: str) -> None:
        """Record that a person went to a place, with all that they carry."""
        self.place[name] = place
        self.known.add(name)
        self.latest = place
        for thing in self.carried(name):
            before = self.before.setdefault(thing, {})
            before.pop(place, None)  # the latest arrival stands last
            before[place] = self.seen[thing]
            self.seen[thing] = place

    def took(self, name: str, thing: str) -> None:
        """Record that a person took an object, which is then where they are known to be."""
        self.holder[thing] = self.carrier[thing] = name
        self.seen[thing] = self.seen.get(thing) or (self.place[name] if name in self.known else None)

    def dropped(self, name: str, thing: str) -> None:
        """Record that a person dropped an object."""
        self.holder.pop(thing, None)
        self.lies[thing] = self.place[name]

    def gave(self, name: str, thing: str, other: str) -> None:
        """Record that a person gave an object to another."""
        self.holder[thing] = other
        self.gifts.add((name, thing, other))
        answers = {
            ("giver", thing): name,
            ("receiver", thing): other,
            ("giver", thing, other): name,
            ("receiver", name, thing): other,
            ("thing", name, other): thing,
        }
        number = 1 + max(self.gift_of.values(), default=0)
        self.given |= answers
        self.gift_of |= dict.fromkeys(answers, number)

    def carried(self, name: str) -> list[str]:
        """The objects that a person carries."""
        return [thing for thing, holder in self.holder.items() if holder == name]

    def _move(self, name: str) -> str:
        place = pick(self.rng, [place for place in PLACES if place != self.place[name]])
        left = self.place[name]
        self.moved(name, place)
        if self.short:
            return f"{name} {place}."
        if self.varied and self.rng.random() < 0.3:
            return self._varied(name, left, place)
        return f"{name} {pick(self.rng, ACTIONS)} to the {place}."

    def _varied(self, name: str, left: str, place: str) -> str:
        if self.rng.random() < 0.1:
            return f"{name} left the {left} and {pick(self.rng, MOVES[:17])} the {place}."
        opening = pick(self.rng, OPENINGS) if self.rng.random() < 0.3 else ""
        closing = pick(self.rng, CLOSINGS) if self.rng.random() < 0.2 else ""
        return f"{opening}{name} {pick(self.rng, MOVES)} the {place}{closing}."

    def _take(self, name: str) -> str | None:
        if self.lesson and not self.apart and name not in self.known:
            return None
        if self.lesson and not self.apart:
            self.lies |= {thing: self.place[name] for thing in OBJECTS if thing not in self.seen}
        here = [t for t, place in self.lies.items() if t not in self.holder and place == self.place[name]]
        if not here:
            return None
        thing = pick(self.rng, here)
        self.took(name, thing)
        return self._with(name, TAKES, thing, "take")

    def _drop(self, name: str) -> str | None:
        if not (carried := self.carried(name)):
            return None
        thing = pick(self.rng, carried)
        self.dropped(name, thing)
        return f"{name} no {thing}." if self.short else self._with(name, DROPS, thing, "drop")

    def _give(self, name: str) -> str | None:
        near = [other for other in self.names if other != name and self.place[other] == self.place[name]]
        if not (carried := self.carried(name)) or not near:
            return None
        return self._gift(name, pick(self.rng, carried), pick(self.rng, near))

    def _gift(self, name: str, thing: str, other: str) -> str:
        self.gave(name, thing, other)
        return f"{name} {thing} {other}." if self.short else f"{name} {pick(self.rng, GIVES)} the {thing} to {other}."

    def _with(self, name: str, verbs: tuple[str, ...], thing: str, kind: str) -> str:
        there = " there" if self.rng.random() < self.there[kind] else ""
        return f"{name} {thing}." if self.short else f"{name} {pick(self.rng, verbs)} the {thing}{there}."


class Persons(People):
    """The world of qa1: where is a person? The latest move counts."""

    classes = (*PLACES, NEVER)

    def questions(self) -> list[Question]:
        ask = "{}" if self.short else "Where is {}?"
        return [(ask.format(name), self.place[name] if name in self.known else NEVER) for name in self.names]


class Gifts(People):
    """The world of qa5: who gave what to whom? The latest gift that fits the question counts.

    Its lesson has gifts alone, anything from anybody to anybody: between the moves they are too few to learn from. Its
    hard questions name somebody or something of which another gift would give another answer.
    """

    classes, alone = (*GIVERS, *OBJECTS, NEVER), True  # "Who gave the milk to Mary?" and "What did Fred give to Mary?"
    names, words = GIVERS, (*GIVERS, *OBJECTS, *GIVES)
    shares: ClassVar = {"move": 0.38, "take": 0.25, "drop": 0.14, "give": 0.23}

    asks: ClassVar = {
        ("giver", 2): ("giver {}", "Who gave the {}?"),
        ("receiver", 2): ("receiver {}", "Who received the {}?"),
        ("giver", 3): ("giver {} {}", "Who gave the {} to {}?"),
        ("receiver", 3): ("{} {}", "Who did {} give the {} to?"),
        ("thing", 3): ("{} {}", "What did {} give to {}?"),
    }  # (role asked for, length of the key in `given`) -> short form, whole sentence

    def tell(self) -> str:
        if not self.lesson:
            return super().tell()
        one, two = self.rng.permutation(len(self.names))[:2]
        return self._gift(self.names[one], pick(self.rng, OBJECTS), self.names[two])

    def questions(self) -> list[Question]:
        never = {(role, thing): NEVER for thing in OBJECTS for role in ("giver", "receiver")}
        never |= {("thing", one, two): NEVER for one in GIVERS for two in GIVERS if one != two}
        known = (never | self.given).items()
        if self.hard:
            known = [pair for pair in known if self._another_says_otherwise(*pair)] or known
        return [(self._ask(key), answer) for key, answer in known]

    def weights(self, questions: list[Question]) -> list[float]:
        """The official frequency: 9,847 of 10,000 questions are about the latest gift, 133 about the one before."""
        latest = max(self.gift_of.values(), default=0)
        of = {  # a third of all questions ask what was given
            self._ask(key): (2 if key[0] == "thing" else 1) * 0.04 ** min(9, latest - number)
            for key, number in self.gift_of.items()
        }
        return [of.get(question, 1.0) for question, _ in questions]

    def _ask(self, key: tuple[str, ...]) -> str:
        return self.asks[key[0], len(key)][not self.short].format(*key[1:])

    def _another_says_otherwise(self, key: tuple[str, ...], answer: str) -> bool:
        role = ("giver", "thing", "receiver").index(key[0])
        return any(gift[role] != answer and set(gift) & set(key[1:]) for gift in self.gifts)
