"""The text of the front page's experiment: facts between prose, segment by segment, as the browser sends it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from rmt.errors import InputError
from rmt.tasks.babi import NEVER
from rmt.tasks.base import ACTIONS, NAMES, PLACES
from rmt_viz.shelf.json_file import read_json
from rmt_viz.shelf.library import ASSETS

CHECKPOINT = "qa1"
BUNDLED = ASSETS / "results" / "experiment.json"
SHORT = ASSETS / "results" / "short_segments.json"
MOST_SEGMENTS, MOST_FACTS, MOST_NOISE, MOST_CHARACTERS = 32, 12, 400, 20_000
WORD = re.compile(r"[^\W\d_][\w’'-]{0,19}")
FACT = re.compile(rf"\b(?P<who>{WORD.pattern}) (?P<how>{'|'.join(ACTIONS)}) to the (?P<where>{WORD.pattern})\.(?=\s|$)")


@dataclass(frozen=True)
class Told:
    """A fact: who went where, in which of the task's words."""

    who: str
    how: str
    where: str

    @property
    def sentence(self) -> str:
        return f"{self.who} {self.how} to the {self.where}."


Part = str | Told


@dataclass(frozen=True)
class Experiment:
    """What is read: the parts of each segment, then so many segments of noise; by trained weights or by fresh ones."""

    segments: tuple[tuple[Part, ...], ...]
    noise: int = 0
    trained: bool = True

    @property
    def facts(self) -> list[tuple[int, Told]]:
        """The facts in the order of the text, each with its segment, counted from 0."""
        return [(s, part) for s, parts in enumerate(self.segments) for part in parts if isinstance(part, Told)]

    def exchanged(self, fact: int) -> tuple["Experiment", str]:
        """The text with one fact telling of another place, and that place: none that any fact tells, if there is one.

        So an answer that stays cannot stay because two facts agree.
        """
        told = [part for _, part in self.facts]
        own, used = told[fact].where, {part.where for part in told}
        first = PLACES.index(own) + 1 if own in PLACES else 0
        others = [place for place in (*PLACES[first:], *PLACES[:first]) if place != own]
        place = next((place for place in others if place not in used), others[0])
        count, segments = -1, []
        for parts in self.segments:
            new = []
            for part in parts:
                count += isinstance(part, Told)
                new.append(replace(part, where=place) if isinstance(part, Told) and count == fact else part)
            segments.append(tuple(new))
        return replace(self, segments=tuple(segments)), place

    def people(self) -> list[str]:
        """Who can be asked for: the four that the model knows, then others that a fact names."""
        return list(dict.fromkeys([*NAMES, *(fact.who for _, fact in self.facts)]))

    def truth(self, who: str) -> str | None:
        """Where the text says that a person is: the latest fact counts. None where that cannot be said.

        That is so for names and places that the model does not know, and for a person whom the prose names, too: it may
        say of them what no fact says.
        """
        prose = " ".join(part for parts in self.segments for part in parts if isinstance(part, str))
        if who not in NAMES or re.search(rf"\b{re.escape(who)}\b", prose, re.IGNORECASE):
            return None
        where = next((fact.where for _, fact in reversed(self.facts) if fact.who == who), NEVER)
        return where if where in (*PLACES, NEVER) else None

    def unknown(self) -> list[str]:
        """Names and places of its facts that the model never learned."""
        words = [word for _, fact in self.facts for word, known in ((fact.who, NAMES), (fact.where, PLACES))
                 if word not in known]  # fmt: skip
        return list(dict.fromkeys(words))


def parse(document: object) -> Experiment:
    """The experiment that a browser asks for. Raises InputError with what is wrong with it.

    Sentences of its prose that look like a fact become facts.
    """
    if not isinstance(document, dict) or not isinstance(document.get("segments"), list):
        raise InputError("This is no text of the experiment; reload the page.")
    segments = [_parts(parts) for parts in document["segments"]]
    noise, model = document.get("noise"), document.get("model")
    if type(noise) is not int or not 0 <= noise <= MOST_NOISE or model not in ("trained", "untrained"):
        raise InputError(f"There are 0 to {MOST_NOISE} segments of noise, read by a trained or untrained model.")
    return check(Experiment(tuple(parts for parts in segments if parts), noise, model == "trained"))


def check(experiment: Experiment) -> Experiment:
    """The same. Raises InputError where it is too much to read while somebody waits, or nothing at all."""
    size = sum(len(part) for parts in experiment.segments for part in parts if isinstance(part, str))
    if len(experiment.segments) > MOST_SEGMENTS or size > MOST_CHARACTERS:
        raise InputError(
            f"The text is too long for this page: shorten it to {MOST_SEGMENTS} segments and {MOST_CHARACTERS:,} "
            "characters, or read it on the Models page."
        )
    if len(experiment.facts) > MOST_FACTS:
        raise InputError(f"Every fact is exchanged in turn, so there can be {MOST_FACTS} of them; delete some.")
    if not experiment.segments and not experiment.noise:
        raise InputError("There is no text to read; add a fact or a segment of noise.")
    return experiment


def _parts(parts: object) -> tuple[Part, ...]:
    if not isinstance(parts, list):
        raise InputError("A segment is a list of its parts; reload the page.")
    found: list[Part] = []
    for part in parts:
        if isinstance(part, str):
            found += find_facts(part.encode("utf-8", "replace").decode())
        elif isinstance(part, dict) and set(part) == {"who", "how", "where"}:
            found.append(_fact(**part))
        else:
            raise InputError("A part of a segment is prose or a fact; reload the page.")
    return tuple(found)


def _fact(who: object, how: object, where: object) -> Told:
    for word in (who, where):
        if not isinstance(word, str) or not WORD.fullmatch(word):
            raise InputError("A name and a place are one word each, of 20 letters or fewer.")
    if how not in ACTIONS:
        raise InputError(f"A fact is told with one of these words: {', '.join(ACTIONS)}.")
    return Told(who, how, where)


def find_facts(prose: str) -> list[Part]:
    """Prose with the facts in it as facts; white space around its parts goes."""
    found, done = [], 0
    for match in FACT.finditer(prose):
        found += [prose[done : match.start()].strip(), Told(**match.groupdict())]
        done = match.end()
    return [part for part in (*found, prose[done:].strip()) if part]


def document(experiment: Experiment) -> dict:
    """The experiment as `parse` reads it."""
    segments = [[_written(part) for part in parts] for parts in experiment.segments]
    return {
        "segments": segments,
        "noise": experiment.noise,
        "model": "trained" if experiment.trained else "untrained",
    }


def _written(part: Part) -> object:
    return part if isinstance(part, str) else {"who": part.who, "how": part.how, "where": part.where}


def cut(segments: Sequence[Sequence[Part]], size, length: int) -> tuple[tuple[Part, ...], ...]:
    """Segments of at most `length` tokens: what is too long for one goes on in a new one after it.

    size: prose or a fact -> where each of its tokens ends in it, in characters. Prose is cut between words.
    """
    found = []
    for parts in segments:
        current: list[Part] = []
        room, waiting = length, list(parts)
        while waiting:
            part = waiting.pop(0)
            ends = size(part if isinstance(part, str) else part.sentence)
            if len(ends) <= room:
                current, room = [*current, part], room - len(ends)
                continue
            if isinstance(part, str) and (fits := _fitting(part, ends[room - 1] if room else 0, bool(current))):
                current.append(part[:fits].rstrip())
                part = part[fits:].lstrip()
            elif not current:
                raise InputError(f"“{part.sentence}” does not fit into one segment of {length} tokens.")
            found.append(tuple(current))
            current, room, waiting = [], length, [part, *waiting]
        found.append(tuple(current))
    return tuple(parts for parts in found if parts)


def _fitting(prose: str, end: int, may_wait: bool) -> int:
    """How many characters of prose, at most `end`, make whole words; where not even one does and the prose cannot wait
    for the next segment, part of the word."""
    whole = end if prose[end : end + 1].isspace() else prose.rfind(" ", 0, end)
    return whole if whole > 0 else (0 if may_wait else max(end, 1))


DEFAULT = Experiment(
    (
        (
            "It had rained all morning, and the house was quiet.",
            Told("Mary", "went", "garden"),
            "The clock on the wall had stopped years ago, and nobody had ever thought of winding it. Somewhere a dog "
            "barked twice, then not again.",
        ),
        (
            "The letters lay unopened on the table, one on top of the other, as they had since Monday.",
            Told("John", "moved", "office"),
            "By noon the sky had cleared, and the first carts came back from the market.",
        ),
        (
            "A train leaves every hour, the guide had said, but he had not said from where. We waited under the bridge "
            "until it was too dark to read, and then we waited a little longer.",
        ),
        (
            "The old man told his story again, slowly, as if for the first time.",
            Told("Sandra", "travelled", "kitchen"),
            "Nobody listened any more. The fire had burned low, and the children had fallen asleep on the carpet.",
        ),
        (
            "There is a kind of silence that only machines can make when they stop.",
            Told("Mary", "journeyed", "bedroom"),
            "The engineers stood around the pump and looked at one another, and nobody spoke.",
        ),
        (
            "Outside, the first snow of the year was falling on the roofs.",
            Told("Daniel", "went", "hallway"),
            "It was the third time that week that the lights had failed, and the candles were gone, too.",
        ),
    ),
    noise=6,
)  # fmt: skip

BARE = replace(  # the same facts without the prose around them
    DEFAULT, segments=tuple((part,) for parts in DEFAULT.segments for part in parts if isinstance(part, Told))
)


def bundled() -> dict | None:
    """What the default text gave when the app was made, by "trained" and "untrained"; None where it is not there.

    "bare" is what its facts alone gave, by trained weights.
    """
    return _read(BUNDLED.stat().st_mtime_ns) if BUNDLED.is_file() else None


@lru_cache(maxsize=2)
def _read(stamp: int) -> dict:
    found = read_json(BUNDLED)
    if not isinstance(found, dict) or not {"trained", "untrained"} <= set(found):
        raise InputError(f"assets/results/{BUNDLED.name} is not what it should be; make it again.")
    return found
