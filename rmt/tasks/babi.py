"""The grammar of bAbI qa1 to qa5: people who move, take, drop and give, and places in relation to each other.

Weston et al. 2015, "Towards AI-Complete Question Answering" (arXiv 1502.05698). The sentences and the meaning of the
questions are theirs, and so is how often each kind of fact is told; the stories are our own and have no end. What the
official files do not ask, a world answers, too: of somebody or something that was never mentioned, NEVER.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rmt.tasks.base import ACTIONS, NAMES, PLACES, Rng, Story, Task
from rmt.tasks.memorize import MOVE, PEOPLE
from rmt.tasks.questions import NEVER, Look
from rmt.tasks.reasoning import RELATION

OBJECTS = ("football", "apple", "milk")
GIVERS = ("Bill", "Fred", "Jeff", "Mary")  # the people of qa5
CROWD = (*NAMES, "Bill", "Fred", "Jeff", "Anna", "Peter", "Emma", "Paul", "Laura", "Tom", "Alice", "Henry", "Grace",
         "George", "Helen", "Frank", "Ruth", "Albert", "Clara", "Simon", "Julia")  # fmt: skip
TAKES = ("got", "grabbed", "took", "picked up")
DROPS = ("dropped", "discarded", "left", "put down")
GIVES = ("gave", "handed", "passed")
DIRECTIONS = {"north": "south", "south": "north", "east": "west", "west": "east"}
# How else a move is told where stories are varied; the official files know ACTIONS alone.
MOVES = (
    "walked to", "ran to", "hurried to", "returned to", "came to", "headed to", "strolled to", "rushed to", "got to",
    "drove to", "crept to", "wandered to", "walked into", "ran into", "stepped into", "went into", "came into",
    "entered", "is in", "is now in", "was in", "sat down in", "stayed in", "waited in", "went straight to",
    "left for", "reached",
)  # fmt: skip
OPENINGS = ("Then ", "Later ", "After that ", "In the morning ", "At last ", "Soon ", "This time ")
CLOSINGS = (" again", " at once", " in the end", " alone", " to rest", " after lunch")
CLASSES = (*PLACES, *GIVERS, *OBJECTS, NEVER)

Question = tuple[str, str]  # what is asked, and the answer: one of CLASSES


def pick(rng: Rng, options):
    """One of them, each as likely as another."""
    return options[int(rng.integers(len(options)))]


class World:
    """A story that goes on: `tell` makes its next fact, `questions` are all that can be asked of it by then.

    short: facts and questions of two or three words, which is how a small model learns to bind them first. varied: half
    of the moves are told in other words than the official ones.
    """

    classes: tuple[str, ...]

    def __init__(self, rng: Rng, *, short: bool = False, varied: bool = False):
        self.rng, self.short, self.varied = rng, short, varied

    def tell(self) -> str | None:
        """The next fact as a sentence; None where there is no more to tell."""
        raise NotImplementedError

    def questions(self) -> list[Question]:
        """Everything that can be asked now, with its answer."""
        raise NotImplementedError


class People(World):
    """People who go from place to place, carry objects there and hand them on; a fact happens only where it can.

    Everybody and everything is somewhere from the start, but a reader knows only what was told: who took the milk
    before moving for the first time took it at a place that is not known.
    """

    names: tuple[str, ...] = NAMES
    shares: ClassVar = {"move": 1.0}  # how often each kind of fact is told
    there: ClassVar = {"take": 1.0, "drop": 0.2}  # how often a sentence ends in "there"

    def __init__(self, rng: Rng, **options):
        super().__init__(rng, **options)
        self.place = {name: pick(rng, PLACES) for name in self.names}
        self.lies = {thing: pick(rng, PLACES) for thing in OBJECTS}  # object -> where it is while nobody carries it
        self.holder: dict[str, str] = {}  # object -> who carries it
        self.known: set[str] = set()  # people whose place was told
        self.seen: dict[str, str | None] = {}  # object -> the place where it is known to be
        self.before: dict[str, dict[str, str | None]] = {}  # object -> place -> where it was before it came there
        self.given: dict[tuple[str, ...], str] = {}  # what the latest gift answers: see Gifts

    def tell(self) -> str:
        kinds = list(self.shares)
        while True:
            kind = self.rng.choice(kinds, p=list(self.shares.values())) if len(kinds) > 1 else kinds[0]
            for i in self.rng.permutation(len(self.names)):
                if fact := getattr(self, f"_{kind}")(self.names[i]):
                    return fact

    def moved(self, name: str, place: str) -> None:
        """It was told that somebody went to a place, and what they carry went along."""
        self.place[name] = place
        self.known.add(name)
        for thing in self.carried(name):
            self.before.setdefault(thing, {})[place] = self.seen[thing]
            self.seen[thing] = place

    def took(self, name: str, thing: str) -> None:
        """It was told that somebody took an object: it is where they are known to be."""
        self.holder[thing] = name
        self.seen[thing] = self.seen.get(thing) or (self.place[name] if name in self.known else None)

    def dropped(self, name: str, thing: str) -> None:
        """It was told that somebody dropped an object."""
        self.holder.pop(thing, None)
        self.lies[thing] = self.place[name]

    def gave(self, name: str, thing: str, other: str) -> None:
        """It was told that somebody gave an object to somebody else."""
        self.holder[thing] = other
        self.given |= {
            ("giver", thing): name,
            ("receiver", thing): other,
            ("giver", thing, other): name,
            ("receiver", name, thing): other,
            ("thing", name, other): thing,
        }

    def carried(self, name: str) -> list[str]:
        """What somebody carries."""
        return [thing for thing, holder in self.holder.items() if holder == name]

    def _move(self, name: str) -> str:
        place = pick(self.rng, [place for place in PLACES if place != self.place[name]])
        left = self.place[name]
        self.moved(name, place)
        if self.short:
            return f"{name} {place}."
        if self.varied and self.rng.random() < 0.5:
            return self._varied(name, left, place)
        return f"{name} {pick(self.rng, ACTIONS)} to the {place}."

    def _varied(self, name: str, left: str, place: str) -> str:
        if self.rng.random() < 0.1:
            return f"{name} left the {left} and {pick(self.rng, MOVES[:17])} the {place}."
        opening = pick(self.rng, OPENINGS) if self.rng.random() < 0.3 else ""
        closing = pick(self.rng, CLOSINGS) if self.rng.random() < 0.2 else ""
        return f"{opening}{name} {pick(self.rng, MOVES)} the {place}{closing}."

    def _take(self, name: str) -> str | None:
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
        thing, other = pick(self.rng, carried), pick(self.rng, near)
        self.gave(name, thing, other)
        return f"{name} {thing} {other}." if self.short else f"{name} {pick(self.rng, GIVES)} the {thing} to {other}."

    def _with(self, name: str, verbs: tuple[str, ...], thing: str, kind: str) -> str:
        there = " there" if self.rng.random() < self.there[kind] else ""
        return f"{name} {thing}." if self.short else f"{name} {pick(self.rng, verbs)} the {thing}{there}."


class Persons(People):
    """qa1: where is a person? The latest move counts."""

    classes = (*PLACES, NEVER)

    def questions(self) -> list[Question]:
        ask = "{}" if self.short else "Where is {}?"
        return [(ask.format(name), self.place[name] if name in self.known else NEVER) for name in self.names]


class Crowd(World):
    """Many facts: each of K people went to a place, once; anybody of them is asked for. K is 1 to 16, log-uniformly."""

    classes = (*PLACES, NEVER)
    most = 16

    def __init__(self, rng: Rng, *, people: int | None = None, **options):
        super().__init__(rng, **options)
        count = people or int(np.exp(rng.uniform(0, np.log(self.most + 0.999))))
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


class Objects(People):
    """qa2: where is an object? With whoever carries it, or where it was dropped."""

    classes = (*PLACES, NEVER)
    shares: ClassVar = {"move": 0.5, "take": 0.29, "drop": 0.21}

    def questions(self) -> list[Question]:
        ask = "{}" if self.short else "Where is the {}?"
        return [(ask.format(thing), self.seen.get(thing) or NEVER) for thing in OBJECTS]


class Before(People):
    """qa3: where was an object before it was at a place? Its latest coming to that place counts."""

    classes = (*PLACES, NEVER)
    shares: ClassVar = {"move": 0.5, "take": 0.28, "drop": 0.22}
    there: ClassVar = {"take": 0.2, "drop": 0.2}

    def questions(self) -> list[Question]:
        ask = "{} {}" if self.short else "Where was the {} before the {}?"
        return [
            (ask.format(thing, place), self.before.get(thing, {}).get(place) or NEVER)
            for thing in OBJECTS
            for place in PLACES
        ]


class Relations(World):
    """qa4: what is where of what? Three places in a line; the question says which of the two facts answers it."""

    classes = (*PLACES, NEVER)

    def __init__(self, rng: Rng, **options):
        super().__init__(rng, **options)
        self.told: list[tuple[str, str, str]] = []  # place, direction, of which place
        places = [PLACES[i] for i in rng.permutation(len(PLACES))[:3]]
        direction = pick(rng, tuple(DIRECTIONS))
        pairs = [(places[0], direction, places[1]), (places[1], direction, places[2])]
        turned = [
            (second, DIRECTIONS[way], first) if rng.random() < 0.5 else (first, way, second)
            for first, way, second in pairs
        ]
        self.coming = [turned[i] for i in rng.permutation(2)]

    def tell(self) -> str | None:
        if not self.coming:
            return None
        first, direction, second = fact = self.coming.pop()
        self.told.append(fact)
        return f"{first} {direction} {second}." if self.short else f"The {first} is {direction} of the {second}."

    def questions(self) -> list[Question]:
        """As the official ones: a direction and a place of a fact, from its front or from its back."""
        of, front = ("{1} {0}", "{0} {1}") if self.short else ("What is {1} of the {0}?", "What is the {0} {1} of?")
        asked: dict[str, str] = {}
        for place in dict.fromkeys(place for first, _, second in self.told for place in (first, second)):
            for direction in DIRECTIONS:
                asked[of.format(place, direction)] = asked[front.format(place, direction)] = NEVER
        for first, direction, second in self.told:
            for one, way, other in [(first, direction, second), (second, DIRECTIONS[direction], first)]:
                asked[of.format(other, way)] = one
                asked[front.format(one, way)] = other
        return list(asked.items())


class Gifts(People):
    """qa5: who gave what to whom? The latest gift that fits the question counts."""

    classes = (*GIVERS, *OBJECTS, NEVER)
    names = GIVERS
    shares: ClassVar = {"move": 0.38, "take": 0.25, "drop": 0.14, "give": 0.23}

    asks: ClassVar = {
        ("giver", 2): ("giver {}", "Who gave the {}?"),
        ("receiver", 2): ("receiver {}", "Who received the {}?"),
        ("giver", 3): ("giver {} {}", "Who gave the {} to {}?"),
        ("receiver", 3): ("{} {}", "Who did {} give the {} to?"),
        ("thing", 3): ("{} {}", "What did {} give to {}?"),
    }  # what is asked for and how many words say of which gift -> short, whole

    def questions(self) -> list[Question]:
        never = {(role, thing): NEVER for thing in OBJECTS for role in ("giver", "receiver")}
        never |= {("thing", one, two): NEVER for one in GIVERS for two in GIVERS if one != two}
        known = (never | self.given).items()
        return [(self.asks[key[0], len(key)][not self.short].format(*key[1:]), answer) for key, answer in known]


@dataclass(frozen=True)
class Kind:
    """A task of bAbI: its world, and how many facts its official stories tell before a question: least, mean, most."""

    world: Callable[..., World]
    facts: tuple[int, int, int]

    def story(self, rng: Rng, *, never: bool = False, people: int | None = None) -> Story:
        """A story as long as the official ones, and a question about what was told, or about what never was.

        people: how many, where a world can have more or fewer.
        """
        while True:
            least, mean, most = (people,) * 3 if people else self.facts
            n_facts = min(most, least + int(rng.exponential(mean - least)))
            world = self.world(rng, **({"people": people} if people else {}))
            facts, answers, now = [], [], dict(world.questions())
            answers.append(_new(now, {}, world.classes))
            for fact in filter(None, (world.tell() for _ in range(n_facts))):
                before, now = now, dict(world.questions())
                facts.append(fact)
                answers.append(_new(now, before, world.classes))
            asked = [pair for pair in now.items() if (pair[1] == NEVER) == never]
            if asked:
                question, answer = pick(rng, asked)
                return Story(tuple(facts), question, world.classes.index(answer), tuple(answers))


def _new(now: dict[str, str], before: dict[str, str], classes: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Questions whose answer is another one now, those first that are about something mentioned."""
    new = [(question, answer) for question, answer in now.items() if before.get(question) != answer]
    new.sort(key=lambda pair: pair[1] == NEVER)
    return tuple((question, classes.index(answer)) for question, answer in new)


KINDS = {
    "qa1": Kind(Persons, (2, 6, 10)),
    "qa2": Kind(Objects, (2, 16, 68)),
    "qa3": Kind(Before, (4, 50, 320)),
    "qa4": Kind(Relations, (2, 2, 2)),
    "qa5": Kind(Gifts, (2, 20, 126)),
    "many-facts": Kind(Crowd, (16, 16, 16)),
}
GIFT = Look(
    re.compile(rf"(?P<who>[A-Z]\w+) (?:{'|'.join(GIVES)}) the (?P<what>\w+) to (?P<whom>[A-Z]\w+)\."),
    (
        ("Who gave the {what}?", "who"),
        ("Who received the {what}?", "whom"),
        ("Who gave the {what} to {whom}?", "who"),
        ("Who did {who} give the {what} to?", "whom"),
        ("What did {who} give to {whom}?", "what"),
    ),
)


def _task(name: str, **words) -> Task:
    """The record of one of KINDS."""
    return Task(name, KINDS[name].world.classes, KINDS[name].story, filtered=False, **words)


def _asks(names: tuple[str, ...], question: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, question.format(name)) for name in names)


# In qa2 and qa3 no fact answers a question alone, so that none of a text can be asked for by itself.
RECORDS = (
    _task(
        "qa1", title="Who is where", about=NAMES, looks=(MOVE,), knows=PEOPLE, asks=_asks(NAMES, "Where is {}?"),
        example="Mary went to the garden. {noise} Mary moved to the office. {noise} Where is Mary?",
        hint="It knows where a person is; the latest move counts.",
    ),
    _task(
        "qa2", title="qa2, two facts", about=OBJECTS, knows=PEOPLE, asks=_asks(OBJECTS, "Where is the {}?"),
        example="Mary went to the garden. {noise} Mary took the milk there. {noise} Where is the milk?",
        hint="It knows where an object is: with whoever took it, or where it was dropped.",
    ),
    _task(
        "qa3", title="qa3, three facts", about=OBJECTS, knows=PEOPLE,
        example="Mary went to the garden. {noise} Mary took the milk there. {noise} Mary moved to the office. "
        "Where was the milk before the office?",
        hint="It knows where an object was before it came to a place.",
    ),
    _task(
        "qa4", title="qa4, relations", about=PLACES, looks=(RELATION,),
        example="The garden is north of the kitchen. {noise} The kitchen is north of the office. "
        "What is the kitchen north of?",
        hint="It knows which place lies where of which other place.",
    ),
    _task(
        "qa5", title="qa5, gifts", about=(*OBJECTS, *GIVERS), looks=(GIFT,),
        example="Fred gave the milk to Mary. {noise} Who received the milk?",
        hint="It knows who gave what to whom; the latest gift counts.",
        knows=f"The people it knows are {', '.join(GIVERS)}, who {', '.join(GIVES[:-1])} or {GIVES[-1]}.",
    ),
    _task(
        "many-facts", title="Many facts", about=CROWD, looks=(MOVE,),
        example="Mary went to the garden. {noise} Tom moved to the office. {noise} Where is Mary?",
        hint="It remembers where each of up to 16 people went, once.",
        knows=f"The people it knows are {', '.join(CROWD)}.",
    ),
)  # fmt: skip
