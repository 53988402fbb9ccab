"""The Tour: an essay on recurrent memory in the order of understanding; its numbers come from what is bundled."""

from collections.abc import Sequence

from rmt.cost import LENGTH, OPT, PAPER, ratio
from rmt_viz.findings import cost, mechanisms, tour_charts
from rmt_viz.findings import tour_claims as claims
from rmt_viz.findings.essay import Charts, Passage, Section, Sources, Step, Surface, laid_out

CUT = ("x~", " = [", "m-", " ∘ ", "x", "]")
STEP = ("[", "m", " ∘ ", "h", "] = ", "T", "(", "x~", ")")
ANSWER = ("head", " = Head(", "h", ")")
RESET = ("m-", " := ", "m0")
FORMERLY = ("pieces", "written", "replaced", "kept", "read", "without", "far")  # steps that had numbers once


def _times(sources: Sources) -> str:
    """What full attention costs at a long text, against reading it in segments."""
    times = cost.number(ratio(OPT[tour_charts.MODEL], LENGTH, PAPER))
    return (
        "A transformer lets every token look at every other, so twice the text is four times the looking. Counted by "
        f"formula for {tour_charts.MODEL}, {LENGTH:,} tokens cost {times} times what they cost in segments of "
        "which each looks only at itself."
    )


def _families(sources: Sources) -> str:
    """How many mechanisms there are beside RMT, and how far apart their states are."""
    rows = mechanisms.ordered(sources.result("mechanisms").rows)
    return (
        f"{len(rows)} ways to carry the past run in the same engine: caches of earlier tokens, summaries, matrices of "
        f"associations, searches in the text itself. {mechanisms.sizes_finding(rows)}."
    )


SECTIONS = (
    Section("Why segments", (
        Step(
            "pieces", "A text is read in pieces",
            (_times, "A *recurrent memory transformer* therefore cuts a text of any length into segments and reads one "
             "at a time. What a segment may know of all before it is the *memory*: a few vectors, put in front of its "
             "tokens as if they were tokens, too."),
            Surface("qa1", "keep", ("tokens",),
                    "the strip: a column is a segment, and all below it belongs to the marked one. Click another.",
                    claims.size, ask=claims.ask_size),
            (CUT, STEP), ("cost",),
        ),
    )),
    Section("What crosses", (
        Step(
            "crosses", "A handful of vectors cross, and nothing else",
            ("The memory that one segment leaves is the memory that the next one gets: that is the whole recurrence. "
             "No text crosses, and no attention reaches back.",
             "So what is known later can be tested: change one sentence, read again, and see which of the vectors are "
             "other ones, and whether the answer is. A colour in a slot is how much it differs then. The two other "
             "switches are the controls: memory put back at every boundary, and a fact that says something else."),
            Passage("the colours: each comes in where its sentence stands and goes along to the answer. Then switch "
                    "memory off with *Reset*."),
            (STEP,), ("experiment",),
        ),
    )),
    Section("Writing", (
        Step(
            "written", "A move is written",
            ("Between the sentences of old speeches people move about, and any of them may be asked for at any time. "
             "The next segment will not see this one, so whatever is to be known of it later has to go into memory "
             "now.",
             "How do we know what memory holds? By asking: after every segment the question is put to a *copy* of the "
             "memory, and the run goes on as if nothing had been asked."),
            Surface("qa1", "write", ("tokens",),
                    "the rows of people in the strip: a bar where an answer becomes another one.",
                    claims.written, claims.later, claims.ask_written),
            (STEP,), ("watch",),
        ),
        Step(
            "replaced", "One fact replaces another",
            ("Somebody who was told of moves again. The latest move counts, so what memory holds about this one has to "
             "be replaced, and what it holds about the others must not be.",),
            Surface("qa1", "update", ("answers",),
                    "the card: the dashed bar is the answer of before, the filled one that of now. Choose the others "
                    "there, too.", claims.replaced, claims.later, claims.ask_replaced),
            (STEP,), ("what-if",),
        ),
    )),
    Section("Keeping", (
        Step(
            "kept", "What is known is kept",
            ("Other text follows. At each boundary memory passes through all layers once more, and nothing but "
             "training tells them to leave it as it is.",),
            Surface("qa1", "keep", ("slots",),
                    "the row “change”, whose bars nearly vanish, while the people’s rows go on unchanged.",
                    claims.kept, claims.here, claims.ask_kept),
            (STEP, CUT), ("memory", "facts"),
        ),
    )),
    Section("Reading", (
        Step(
            "read", "A question is answered",
            ("The last segment holds a question. It is read together with memory, and the answer is made from this one "
             "segment, at its last token. That the tokens look at memory is no proof that they need it: attention is "
             "not cause. The proof is to change what memory knows, and to take it away.",),
            Surface("qa1", "read", ("tokens", "heads"),
                    "the tokens that look at memory most, and the heads that do, both in the strongest blue.",
                    claims.read, claims.here, claims.ask_read, "read"),
            (CUT, STEP, ANSWER), ("why", "attention"),
        ),
        Step(
            "without", "The control: without memory",
            ("A picture of attention alone proves nothing. So the same weights read the same text again, and before "
             "every segment the state is replaced by the initial memory.",),
            Surface("qa1.reset", "last", ("answers",),
                    "the people’s rows: each is right in the segment that tells of them, and wrong, dashed, right "
                    "after it.", claims.without, claims.of_trained, claims.ask_without),
            (RESET, CUT, STEP), ("compare",),
        ),
    )),
    Section("When it fails", (
        Step(
            "full", "Too many facts",
            ("A handful of vectors cannot hold everything. A model that was trained for it is told of more and more "
             "people, once each, and then asked for all of them. On the diagonal everything would be held.",),
            Charts(tour_charts.held, "where the line leaves the diagonal; the controls lie at the bottom."),
            (), ("capacity",),
        ),
        Step(
            "moves", "A second fact",
            ("A new fact has to push out the old one about the same person and to leave the others alone. Here the "
             "second is told three segments after the first, in many texts.",),
            Charts(tour_charts.moves, "what becomes of the first fact: it stays where the second is about somebody "
                   "else, and goes where it is about the same person."),
            (), ("facts",),
        ),
        Step(
            "far", "A longer text",
            ("The cost of a segment does not depend on how many came before, so the same model can go on. Whether "
             "memory holds that long is a matter of training, not of room.",),
            Surface("qa1-64", "last", ("answers",),
                    "the people’s rows from end to end: answers that replace each other, and dashed ones where it is "
                    "wrong.", claims.far, claims.here, claims.ask_far),
            (STEP,), ("watch",),
        ),
        Step(
            "farther", "Farther still",
            ("One text is no score. Over many texts, and to lengths beyond those of training, some answers get "
             "lost, and some people of whom nothing was told are believed to be somewhere.",),
            Charts(tour_charts.far, "how far the lines fall; bars are 95% intervals."),
            (), ("length",),
        ),
    )),
    Section("What others do", (
        Step(
            "others", "Other ways to carry the past",
            (_families, "Language models of one size were trained with some of them. Those that carry more numbers "
             "have more of the text to go by; how much each number brings is another matter."),
            Charts(tour_charts.others, "the mechanism on the left, which carries nothing: what is below it is saved by "
                   "what is carried. Bars are one standard error."),
            (), ("mechanisms", "loss"),
        ),
    )),
    Section("What it costs", (
        Step(
            "price", "The price of a text",
            ("Each segment costs the same, so the whole grows as the text does, and full attention as its square. What "
             "is bought with that is a bottleneck: all that crosses has to fit into the memory, and learning what to "
             "put there is the hard part.",),
            Charts(tour_charts.price, "the slopes: on these axes a straight line is a power of length."),
            (), ("cost", "train"),
        ),
    )),
)  # fmt: skip
STEPS = tuple(step for section in SECTIONS for step in section.steps)
SLUGS = tuple(step.slug for step in STEPS)
NEXT = ("experiment", "what-if", "capacity", "models", "train")  # where to go after the last step


def essay(sources: Sources, keep: Sequence[str] = SLUGS) -> list[dict]:
    """The steps of these slugs as data for the browser, in order."""
    return [
        laid_out(section.title, step, sources) for section in SECTIONS for step in section.steps if step.slug in keep
    ]


def named(asked: str) -> str:
    """The step that an address names, by its slug or by the number that it had once; else the first."""
    if asked.isdecimal() and 1 <= int(asked) <= len(FORMERLY):
        return FORMERLY[int(asked) - 1]
    return asked if asked in SLUGS else SLUGS[0]
