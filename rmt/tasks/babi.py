"""The tasks bAbI qa1 to qa5, as long as the official stories, and many-facts, open-words and chains."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from rmt.tasks.babi_words import CLASSES, CROWD, DIRECTIONS, DROPS, GIVERS, GIVES, NEVER, OBJECTS, TAKES
from rmt.tasks.base import NAMES, PLACES, Rng, Story, Task
from rmt.tasks.crowd import Crowd
from rmt.tasks.memorize import MOVE, PEOPLE
from rmt.tasks.objects import Before, Objects
from rmt.tasks.open_words import ANYWHERE, FIRST_NAMES, OpenWords
from rmt.tasks.questions import Look
from rmt.tasks.relations import Chains, Relations
from rmt.tasks.worlds import Gifts, Persons, World, pick

__all__ = [
    "CLASSES", "DROPS", "GIVES", "KINDS", "NEVER", "RECORDS", "TAKES",
    "Before", "Crowd", "Gifts", "Kind", "Objects", "Persons", "Relations",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A task of bAbI: its world, and the facts before a question in the official stories: least, mean, most."""

    world: Callable[..., World]
    facts: tuple[int, int, int]

    def story(self, rng: Rng, *, never: bool = False, people: int | None = None) -> Story:
        """Draw a story as long as the official ones, with a question about a fact.

        never: ask about a person or object that was never mentioned instead. people: their number, where the world has
        no fixed one.
        """
        while True:
            least, mean, most = (people,) * 3 if people else self.facts
            n_facts = min(most, least + int(rng.exponential(mean - least)))
            world = self.world(rng, unseen=True, **({"people": people} if people else {}))
            facts, answers, now = [], [], dict(world.questions() + world.beside())
            answers.append(_new(now, {}, world.classes))
            # A story without an answer goes on until there is one: drawn again, they were a fifth longer.
            while len(facts) < n_facts or (not (never or self._askable(world)) and len(facts) < most):
                if (fact := world.tell()) is None:
                    break
                before, now = now, dict(world.questions() + world.beside())
                facts.append(fact)
                answers.append(_new(now, before, world.classes))
            if candidates := self._askable(world, never=never):
                question, answer = pick(rng, candidates, world.weights(candidates))
                return Story(tuple(facts), question, world.classes.index(answer), tuple(answers))

    @staticmethod
    def _askable(world: World, *, never: bool = False) -> list[tuple[str, str]]:
        pairs = [pair for pair in world.questions() if (pair[1] == NEVER) == never]
        return pairs if never else world.official(pairs)


def _new(now: dict[str, str], before: dict[str, str], classes: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """The questions whose answer is new, with its class; first those whose answer is not NEVER."""
    new = [(question, answer) for question, answer in now.items() if before.get(question) != answer]
    new.sort(key=lambda pair: pair[1] == NEVER)
    return tuple((question, classes.index(answer)) for question, answer in new)


KINDS = {
    "qa1": Kind(Persons, (2, 6, 10)),
    "qa2": Kind(Objects, (2, 16, 68)),
    "qa3": Kind(Before, (4, 30, 320)),  # and on until a question may be asked: 50 in the mean
    "qa4": Kind(Relations, (2, 2, 2)),
    "qa5": Kind(Gifts, (2, 20, 126)),
    "many-facts": Kind(Crowd, (16, 16, 16)),
    "open-words": Kind(OpenWords, (1, 4, 10)),
    "chains": Kind(Chains, (2, 2, 2)),
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
RELATIONS = tuple(  # a fact says on which side of each of two places the other one lies
    Look(
        re.compile(rf"[Tt]he (?P<a>\w+) is {way} of the (?P<b>\w+)\."),
        (
            (f"What is {way} of the {{b}}?", "a"),
            (f"What is the {{a}} {way} of?", "b"),
            (f"What is {back} of the {{a}}?", "b"),
            (f"What is the {{b}} {back} of?", "a"),
        ),
    )
    for way, back in DIRECTIONS.items()
)
CARRIED = (  # whom and what qa2 is asked about: objects, and what their places follow from
    *((thing, f"Where is the {thing}?") for thing in OBJECTS),
    *((f"who took the {thing}", f"Who took the {thing}?") for thing in OBJECTS),
    *((name, f"Where is {name}?") for name in NAMES),
)
BEFORE = tuple(
    (f"{thing} before the {place}", f"Where was the {thing} before the {place}?")
    for thing in OBJECTS
    for place in PLACES
)
SIDES = tuple(f"{way} of the {place}" for place in PLACES for way in DIRECTIONS)


def _task(name: str, **words) -> Task:
    """The record of one of KINDS."""
    return Task(name, KINDS[name].world.classes, KINDS[name].story, filtered=False, **words)


def _asks(names: tuple[str, ...], question: str) -> tuple[tuple[str, str], ...]:
    """(name, question) of each name."""
    return tuple((name, question.format(name)) for name in names)


# qa2 and qa3 have no looks: there no fact answers a question alone.
RECORDS = (
    _task(
        "qa1", title="Who is where", about=NAMES, looks=(MOVE,), knows=PEOPLE, asks=_asks(NAMES, "Where is {}?"),
        example="Mary went to the garden. {noise} Mary moved to the office. {noise} Where is Mary?",
        hint="It knows where a person is; the latest move counts.",
    ),
    _task(
        "qa2", title="qa2, two facts", about=OBJECTS, knows=PEOPLE, asks=CARRIED,
        example="Mary went to the garden. {noise} Mary took the milk there. {noise} Where is the milk?",
        hint="It knows where an object is: with whoever took it, or where it was dropped.",
    ),
    _task(
        "qa3", title="qa3, three facts", about=OBJECTS, knows=PEOPLE, asks=(*BEFORE, *CARRIED),
        example="Mary went to the garden. {noise} Mary took the milk there. {noise} Mary moved to the office. "
        "{noise} Where was the milk before the office?",
        hint="It knows where an object was before it came to a place.",
    ),
    _task(
        "qa4", title="qa4, relations", about=PLACES, looks=RELATIONS, asks=_asks(SIDES, "What is {}?"),
        example="The garden is north of the kitchen. {noise} The kitchen is north of the office. "
        "{noise} What is the kitchen north of?",
        hint="It knows which place lies where of which other place.",
    ),
    _task(
        "qa5", title="qa5, gifts", about=(*OBJECTS, *GIVERS), looks=(GIFT,),
        asks=tuple(
            (f"{role} of the {thing}", f"Who {did} the {thing}?")
            for thing in OBJECTS
            for role, did in (("giver", "gave"), ("receiver", "received"))
        ),
        example="Fred gave the milk to Mary. {noise} Who received the milk?",
        hint="It knows who gave what to whom; the latest gift counts.",
        knows=f"The people it knows are {', '.join(GIVERS)}, who {', '.join(GIVES[:-1])} or {GIVES[-1]}.",
    ),
    _task(
        "many-facts", title="Many facts", about=CROWD, looks=(MOVE,), asks=_asks(CROWD, "Where is {}?"),
        example="Mary went to the garden. {noise} Tom moved to the office. {noise} Where is Mary?",
        hint="It remembers where each of up to 16 people went, once.",
        knows=f"The people it knows are {', '.join(CROWD)}.",
    ),
    _task(
        "open-words", title="Open words", about=FIRST_NAMES, looks=(MOVE,), asks=_asks(FIRST_NAMES, "Where is {}?"),
        example="Ada went to the attic. {noise} Oscar moved to the lighthouse. {noise} Where is Ada?",
        hint="It knows where up to four people are, of hundreds; the latest move counts.",
        knows=f"It knows {len(FIRST_NAMES)} first names from {FIRST_NAMES[0]} to {FIRST_NAMES[-1]} and "
        f"{len(ANYWHERE)} places such as the attic, the lighthouse, the museum, the zoo.",
    ),
    _task(
        "chains", title="Chains, both facts", about=PLACES,
        asks=_asks(tuple(f"two places {side}" for side in SIDES), "What is {}?"),
        example="The garden is north of the kitchen. {noise} The kitchen is north of the office. "
        "{noise} What is two places north of the office?",
        hint="It is told two facts and asked what neither says alone: what lies two places away.",
    ),
)  # fmt: skip
