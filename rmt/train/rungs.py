"""The stages in which a memory learns stories: from two words in one segment to streams of prose, and why so."""

from dataclasses import dataclass, replace

from rmt.errors import InputError
from rmt.tasks.babi import KINDS
from rmt.train.config import StoryConfig

SHORT, NO_MARK, WHOLE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
DENSE, PROSE = (0.3, 0.9), (0.15, 0.7)  # shares of sentences that are facts


@dataclass(frozen=True)
class Rung:
    """What is read at one stage of training.

    forms: how often facts and questions are short (two words), whole without a question mark, and whole.
    share: range of the share of sentences that are facts, drawn per text, log-uniformly; 1 leaves background out.
    facts: the most facts a document tells. life: the most segments of a document, the asking one included; of a
    stream, where `streams` of the rows are streams. unroll: segments read a step, before the asking one.
    """

    name: str
    kinds: tuple[str, ...] = ("qa1",)
    forms: tuple[float, float, float] = WHOLE
    share: tuple[float, float] = (1.0, 1.0)
    facts: int | None = None
    life: int = 1
    unroll: int = 0
    streams: float = 0.0
    lures: float = 0.0
    varied: bool = False  # whether moves are told in other words, too
    cut: float = 0.0  # share of longer documents whose first boundary cuts a fact
    goal: float = 0.93  # accuracy that opens the next rung
    steps: int | None = None  # or how many steps it takes


def tasks_of(config: StoryConfig) -> tuple[str, ...]:
    """The tasks a run learns. Raises InputError for one that has no world."""
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
            # Other tasks only now: they need what the first one has taught, finding a name again and its latest fact.
            Rung("all, dense", kinds, life=4, unroll=3, goal=0.9),
            # And with background, so that what does not matter is passed over for all of them.
            Rung("all, in prose", kinds, share=(0.15, 1.0), life=5, unroll=4, goal=0.9),
        ]
    steps = [replace(rung, varied=rung.forms == WHOLE) for rung in steps]
    return [*steps, *_far(kinds, config)]


def _short(kinds: tuple[str, ...]) -> list[Rung]:
    """Two-word facts ("Mary garden."), asked by the name alone.

    Key and value side by side and an answer read at the key itself: with these a small model binds names to places
    within minutes. From whole sentences it learns which places there are and never whose they are.
    """
    return [
        # Within one segment first: told and asked across a boundary from the start, even one fact stays at chance.
        Rung("short, 4 facts", kinds, forms=SHORT, facts=4),
        # More facts than can be kept by their order alone.
        Rung("short, 8 facts", kinds, forms=SHORT, facts=8),
        # Crossing a boundary is the hardest step, so it is taken in the easiest form and with two facts: writing
        # two bindings takes many times as long as writing one, and after it four and eight come soon.
        Rung("short, 2 facts, 1 segment back", kinds, forms=SHORT, share=(0.5, 0.9), facts=2, life=2, unroll=1),
        # As many facts as there are people, among background.
        Rung("short, 1 segment back", kinds, forms=SHORT, share=DENSE, facts=6, life=2, unroll=1),
        # More boundaries: memory now has to keep what it wrote while it writes more. Questions about what was never
        # mentioned are few here and everywhere (see `StoryStreams`): where they are many, a memory learns to say
        # only that.
        Rung("short, 3 segments back", kinds, forms=SHORT, share=DENSE, life=4, unroll=3),
    ]


def _sentences(kinds: tuple[str, ...]) -> list[Rung]:
    """Whole sentences, a step at a time.

    Each rung unrolls three segments though its own documents may have one: the share of documents from the rungs
    before goes on to cross boundaries, because rungs of one segment alone unlearn crossing.
    """
    return [
        # Once names are bound, sentences cost little, as long as the question still ends in the name.
        Rung("sentences, no mark", kinds, forms=NO_MARK, facts=4, unroll=3),
        # Across boundaries again before anything else is changed.
        Rung("sentences, no mark, 3 segments back", kinds, forms=NO_MARK, share=DENSE, life=4, unroll=3),
        # The question mark is a step of its own: the answer is read one token behind the name, a third hop.
        Rung("sentences", kinds, facts=4, unroll=3),
        # Few facts in much background, as in the documents that count.
        Rung("sentences in prose", kinds, share=PROSE, life=4, unroll=3),
    ]


def _far(kinds: tuple[str, ...], config: StoryConfig) -> list[Rung]:
    """What makes it last: facts cut by a boundary, then streams."""
    stream = Rung(
        "streams", kinds, share=(0.01, 0.5), unroll=4, varied=True, cut=0.4, lures=0.2,
        streams=config.stream_share, steps=config.stream_steps,
    )  # fmt: skip
    return [
        # A fact whose front half must be remembered until its other half is read is not learned by the way: streams cut
        # anywhere left such facts wrong however long they went on, and this lesson, before them, taught them.
        Rung("facts cut by a boundary", kinds, share=PROSE, life=5, unroll=4, cut=0.6, goal=0.9, varied=True),
        # Documents of a few segments teach writing and not keeping: memory carried from step to step teaches it, at
        # first over a hundred segments, so that most answers are still within reach.
        replace(stream, name="streams to 100", life=100, steps=max(1, config.stream_steps // 6)),
        # Then as long as the run can afford, at a falling rate.
        replace(stream, life=config.stream_life),
    ]
