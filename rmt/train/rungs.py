"""The stages (rungs) in which a memory learns stories, from two words in one segment to streams of prose, and why."""

from dataclasses import dataclass, replace

from rmt.errors import InputError
from rmt.tasks.babi import KINDS
from rmt.train.config import StoryConfig

SHORT, NO_MARK, WHOLE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
ALMOST_ALL, DENSE, PROSE = (0.8, 0.99), (0.3, 0.9), (0.15, 0.7)  # shares of sentences that are facts


@dataclass(frozen=True)
class Rung:
    """One stage of training: which texts are read.

    forms: shares of texts whose facts and questions are short (two words), whole without a question mark, and whole.
    share: range of the share of sentences that are facts, drawn per text, log-uniformly; 1 means no background.
    facts: the most facts of a document, and least the fewest where there is a most.
    life: the most segments of a document, with the asking one, or of a stream.
    unroll: segments read a step, before the asking one. streams: share of the rows that are streams.
    tokens: the most tokens of a segment; the model's own by default.
    """

    name: str
    kinds: tuple[str, ...] = ("qa1",)
    forms: tuple[float, float, float] = WHOLE
    share: tuple[float, float] = (1.0, 1.0)
    facts: int | None = None
    least: int = 1
    life: int = 1
    unroll: int = 0
    tokens: int | None = None
    streams: float = 0.0
    forks: float = 0.0  # share of documents beside streams that go on from where one is, see `StoryStreams._fork`
    lures: float = 0.0
    baits: float = 0.0  # share of background sentences with a word of the stories, see `Telling`
    varied: bool = False  # whether moves are told in other words than the official ones, too
    cut: float = 0.0  # share of longer documents whose first boundary cuts a fact
    wait: float = 0.0  # share of texts with background alone before the first fact and after some: up to half a life
    lesson: float = 0.0  # share of stories that are easier ones, where a world has such
    hard: float = 0.0  # share of texts asked only what a shortcut answers wrongly, where a world has such questions
    absent: float = 0.0  # share of texts some of whose people are never mentioned, however long they are
    never: float = 0.15  # share of questions about people or objects that were not mentioned so far
    goal: float = 0.93  # accuracy that opens the next rung
    steps: int | None = None  # steps of the rung, where it does not end by its goal


def tasks_of(config: StoryConfig) -> tuple[str, ...]:
    """The tasks that a run learns. Raises InputError for one without a world."""
    kinds = tuple(name.strip() for name in config.kinds.split(","))
    if unknown := [name for name in kinds if name not in KINDS]:
        raise InputError(f"There are no stories of {unknown[0]!r}; choose from {', '.join(KINDS)}.")
    return kinds


def rungs(config: StoryConfig) -> list[Rung]:
    """The stages of training, in order."""
    kinds = tasks_of(config)
    first = ("qa1",) if "qa1" in kinds else kinds[:1]
    steps = [*_short(first), *_sentences(first)]
    if kinds != first:
        steps += [
            # Other tasks come only now: they need what the first one taught, to find a name again and its latest fact.
            Rung("all, dense", kinds, life=4, unroll=3, goal=0.9),
            # And with background, so that the memory learns to ignore it for all tasks.
            Rung("all, in prose", kinds, share=(0.15, 1.0), life=5, unroll=4, goal=0.9),
        ]
    steps = _with_lessons(first[0], steps)
    steps = [replace(rung, varied=rung.forms == WHOLE) for rung in steps]
    return [*steps, *_far_of_task(kinds, _far(kinds, config))]


def _far_of_task(kinds: tuple[str, ...], far: list[Rung]) -> list[Rung]:
    """The last rungs of a task that is learned alone, where its stories are not like qa1's."""
    if kinds == ("qa5",):  # gifts are rare among moves, and an endless text has more of them than are kept
        cut, *streams = [replace(rung, facts=16, lesson=0.5, hard=0.3) for rung in far]
        # Of gifts cut by a boundary 19 of 28 were right, of others 95 %. Short segments cut a third of all.
        often = replace(
            cut, name="cut again and again", share=(0.4, 0.95), facts=24, least=4, life=12, unroll=11, tokens=24,
            never=0.2,
        )  # fmt: skip
        return [cut, often, *streams]
    if kinds in (("qa4",), ("chains",)):
        # With fewer questions of sides that no fact told of than this, it answers those like the others. Its two facts
        # come once in a stream's life, and soon. So most streams wait: without, a memory of 20 segments of background
        # took up 40 % of what it was told then, and all of what it was told at once. And some tell the second fact as
        # late as a long text does, some fifty segments of 256 tokens after the first.
        cut, *streams = [replace(rung, facts=2, least=2, hard=0.4, never=0.4) for rung in far]
        streams = [replace(rung, share=(0.003, 0.4), wait=0.9, cut=0.5) for rung in streams]
        far = [replace(cut, share=(0.05, 0.7)), *streams]
        # Two places away is found by way of the place next to it, so questions about that go on. Some texts tell one
        # fact alone: where all told two, a memory that was told one answered a third of the questions all the same.
        return [replace(rung, lesson=0.4, least=1) for rung in far] if kinds == ("chains",) else far
    if kinds in (("qa2",), ("qa3",)):
        cut, *streams = far
        # Each fact can change what others said, and a document of a few segments has room for few of them: there nearly
        # all was right, and of ten facts in eight segments one answer of six was not. So streams tell more.
        streams = [replace(rung, share=(0.01, 0.7)) for rung in streams]
        # Stories of the task tell more than the rungs before: 16 facts in the mean, each of which can change others.
        many = Rung("many facts", kinds, share=DENSE, life=5, unroll=4, goal=0.99)
        # What is dropped segments after its carrier came there is where that one is: to write it, memory is to be read.
        # So segments are short, of few facts each, and there are more of both than in a document of prose.
        left = Rung(
            "left behind", kinds, share=(0.4, 0.95), facts=30, least=10, life=12, unroll=11, tokens=32, varied=True,
            never=0.2, lesson=0.5, hard=0.6, goal=0.99,
        )  # fmt: skip
        far = (replace(cut, facts=12, goal=0.93), many, *streams)
        cut, many, *streams = (replace(rung, lesson=0.3 if kinds == ("qa2",) else 0.5, hard=0.4) for rung in far)
        if kinds == ("qa3",):
            # Its stories tell fifty facts. Where streams paused between them, few were told within a life: people were
            # right for 99 % of 15 facts, and of 50 for 70, since a memory that was told so many no longer wrote.
            streams = [replace(rung, share=(0.08, 0.7), wait=0.15, lesson=0.8, hard=0.2) for rung in streams]
        return [cut, many, left, *streams]
    if kinds == ("many-facts",):
        cut, *streams = far
        # Documents like those of the measurement, first of sixteen people; then of any number, and strangers. Sentences
        # of background are long: where half of all are facts, seven segments of 32 tokens have room for six.
        most = Rung("16 facts, 7 segments back", kinds, share=(0.6, 0.95), life=8, unroll=7, lesson=1.0, never=0.0)
        streams = [replace(rung, share=(0.05, 0.9), unroll=7, lesson=0.5) for rung in streams]
        return [replace(cut, lesson=1.0, never=0.0, goal=0.9), most, *streams]
    return far


def _with_lessons(kind: str, steps: list[Rung]) -> list[Rung]:
    """The rungs of a task with its world's lesson, where it has one; the world says what it is and why."""
    if kind in ("qa4", "chains"):
        return _relations(steps)
    if kind in ("qa2", "qa3"):
        return _objects(kind, steps)
    if kind == "many-facts":
        return [replace(rung, least=rung.facts or 1, lesson=1.0, never=0.0) for rung in steps]
    if kind == "open-words":  # hundreds of words are told apart before anybody is a stranger
        steps = [replace(rung, lesson=1.0, never=0.15 if rung.unroll else 0.0) for rung in steps]
    if kind == "qa5":  # a lesson where facts are few or short; of gifts alone a longer text would tell too many to keep
        # Each question has an asking segment of its own, so short ones take half of the time.
        steps = [replace(rung, hard=0.3, tokens=32 if rung.forms == SHORT else None) for rung in steps]
        steps = [
            replace(rung, lesson=1.0, facts=rung.facts or 4) if rung.forms == SHORT or rung.facts else rung
            for rung in steps
        ]
    return steps


def _objects(kind: str, steps: list[Rung]) -> list[Rung]:
    """The rungs of qa2 and qa3. What is wrong of a few facts is wrong more often of many, so each is learned well.

    Half of a story's questions are hard ones as it is: with seven texts of ten asked those alone, it learned never to
    answer with the place where somebody went last. qa3 goes on from the weights of qa2, whose questions are its lesson.
    """
    shares, goal = ((1.0, 0.7), 0.97) if kind == "qa2" else ((0.9, 0.6), 0.98)
    # A move, what is taken there, what is dropped, a move on: with a fifth fact, something else may be so. What was
    # before needs more. Of more than twelve facts the first are hardly asked about.
    few = 8 if kind == "qa3" else 5
    made = []
    for rung in steps:
        rung = replace(
            rung, lesson=shares[rung.forms != SHORT], hard=0.3, goal=goal, tokens=32 if rung.forms == SHORT else None,
            facts=max(few, rung.facts or 12), least=few - 2,
        )  # fmt: skip
        if rung.unroll:  # which object lies there is learned from questions about those that nobody took
            rung = replace(rung, never=0.4 if kind == "qa2" else 0.2)
        # Who took what is carried over a boundary only where it must be: among sentences of background, which are long,
        # half of all facts came after the last one, and 91 % of all answers were right where of takers 36 % were.
        if rung.life > 1 and rung.forms != WHOLE:
            rung = replace(rung, share=ALMOST_ALL)
        made.append(rung)
    at = 1 + max(i for i, rung in enumerate(made) if rung.forms == SHORT)
    left = replace(made[at - 1], share=(0.4, 0.9), least=6, life=7, unroll=6, tokens=16, hard=0.7)
    return [*made[:at], replace(left, name="short, left behind"), *made[at:]]


def _relations(steps: list[Rung]) -> list[Rung]:
    """The rungs of qa4: its lesson comes first in one segment, across a boundary and in sentences.

    Which places are neighbours is soon known. On which side is learned where most questions cannot do without it: asked
    all alike, of what lies on a side of the place between two others 99 % were right within a segment and 74 % across a
    boundary (half is a guess), while nine of ten answers of all kinds were right and opened rung after rung. A story of
    the task has two facts, and so has each text of the rungs after the lesson.
    """
    lessons = {
        "short, 4 facts": {"short, as told": 2},
        "short, 2 facts, 1 segment back": {"short, 1 fact, as told": 1, "short, 2 facts, as told": 2},
        "sentences, no mark": {"sentences, no mark, as told": 2},
    }  # rung -> those before it and their facts
    more = ("short, 8 facts", "short, 1 segment back")  # of more facts than others
    made = []
    for rung in steps:
        # Each question has an asking segment of its own, so short ones take half of the time.
        rung = replace(rung, never=0.5, tokens=32 if rung.forms == SHORT else None)
        made += [replace(rung, name=n, facts=facts, lesson=1.0) for n, facts in lessons.get(rung.name, {}).items()]
        if rung.name not in more:
            name = rung.name.replace("4 facts", "2 facts")
            made.append(replace(rung, name=name, facts=2, least=2, hard=0.7, never=0.4, goal=0.95))
    return made


def _short(kinds: tuple[str, ...]) -> list[Rung]:
    """The rungs with two-word facts ("Mary garden."), whose question is the name alone.

    Key and value are adjacent, and the answer is read at the key: so a small model binds names to places within
    minutes. From whole sentences it learns which places there are and never whose they are.
    """
    return [
        # Within one segment first: across a boundary from the start, even one fact stays at chance.
        Rung("short, 4 facts", kinds, forms=SHORT, facts=4),
        # More facts than can be told apart by their order.
        Rung("short, 8 facts", kinds, forms=SHORT, facts=8),
        # Crossing a boundary is the hardest step, so it comes in the easiest form and with two facts: to learn two
        # bindings takes many times as long as one, and after it four and eight are learned soon.
        Rung("short, 2 facts, 1 segment back", kinds, forms=SHORT, share=(0.5, 0.9), facts=2, life=2, unroll=1),
        # As many facts as there are people, among background.
        Rung("short, 1 segment back", kinds, forms=SHORT, share=DENSE, facts=6, life=2, unroll=1),
        # More boundaries: memory now has to keep facts while it writes more. Questions about people or objects that
        # were never mentioned are few here and everywhere (see `StoryStreams`): with many, a model learns to give only
        # that answer.
        Rung("short, 3 segments back", kinds, forms=SHORT, share=DENSE, life=4, unroll=3),
    ]


def _sentences(kinds: tuple[str, ...]) -> list[Rung]:
    """The rungs with whole sentences.

    Each rung unrolls three segments, though its own documents may have one: documents from earlier rungs, which are
    mixed in, still cross boundaries, because with one segment alone a model unlearns that.
    """
    return [
        # Once names are bound, sentences are learned quickly, as long as the question still ends in the name.
        Rung("sentences, no mark", kinds, forms=NO_MARK, facts=4, unroll=3),
        # Across boundaries again before anything else changes.
        Rung("sentences, no mark, 3 segments back", kinds, forms=NO_MARK, share=DENSE, life=4, unroll=3),
        # The question mark is a step of its own: the answer is then read one token after the name, a third hop.
        Rung("sentences", kinds, facts=4, unroll=3),
        # Few facts in much background, as in the documents of the evaluation.
        Rung("sentences in prose", kinds, share=PROSE, life=4, unroll=3),
    ]


def _far(kinds: tuple[str, ...], config: StoryConfig) -> list[Rung]:
    """The rungs that teach the memory to keep facts for long: facts cut by a boundary, then streams."""
    stream = Rung(
        "streams", kinds, share=(0.003, 0.3), unroll=4, varied=True, cut=0.6, absent=0.4, never=0.25, lures=0.06,
        baits=0.5, forks=0.8, wait=0.5, streams=config.stream_share, steps=config.stream_steps,
    )  # fmt: skip
    return [
        # A fact whose first half must be remembered until its second half is read needs a rung of its own: streams,
        # which are cut anywhere, did not teach it however long they went on.
        Rung("facts cut by a boundary", kinds, share=PROSE, life=5, unroll=4, cut=0.7, goal=0.99, varied=True),
        # Documents of a few segments teach writing and not keeping. Memory that is carried from step to step teaches
        # keeping, at first over a hundred segments, so that most questions can still be answered.
        replace(stream, name="streams to 100", life=100, steps=max(1, config.stream_steps // 6)),
        # Then over the longest streams that the run can afford, at a falling rate.
        replace(stream, life=config.stream_life),
    ]
