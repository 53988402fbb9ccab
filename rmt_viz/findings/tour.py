"""The tour's seven steps over recorded runs, each with a question whose answer is computed from the run itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rmt.errors import InputError
from rmt.measure import Followed
from rmt.viewer import slices
from rmt.viewer.slices import Run
from rmt_viz.findings.words import names

SHARES = ("Nobody", "Some", "All of them")
SYMBOLS = {  # a symbol of the equations: how it is written, what stands below it, its block, and what it is in words
    "m-": ("m", "s−1", "memory", "the memory before segment s: M vectors of D numbers"),
    "x": ("x", "s", "tokens", "the tokens of segment s"),
    "x~": ("x̃", "s", "input", "what the model reads: memory and tokens side by side"),
    "T": ("Transformer", "", "model", "the same layers with the same weights for every segment"),
    "m": ("m", "s", "next", "the memory after segment s, which the next segment gets"),
    "h": ("h", "s", "output", "what the layers make of the tokens"),
    "head": ("answer", "", "answer", "read from the last segment only"),
    "m0": ("m", "0", "memory", "the initial memory, learned in training and the same for every text"),
}
CUT = ("x~", " = [", "m-", " ∘ ", "x", "]")
STEP = ("[", "m", " ∘ ", "h", "] = ", "T", "(", "x~", ")")
ANSWER = ("head", " = Head(", "h", ")")
RESET = ("m-", " := ", "m0")


@dataclass(frozen=True)
class Question:
    """A question for the visitor to guess. right: index of the right choice; told: what the run shows."""

    text: str
    choices: Sequence[str]
    right: int
    told: str


@dataclass(frozen=True)
class Step:
    """A step of the tour. beat: the kind of beat whose segment is shown, or "last"; cards: the surface's cards."""

    title: str
    trace: str
    beat: str
    text: str
    look: str
    ask: Callable[[Run, int], Question]
    equations: Sequence[Sequence[str]]
    cards: Sequence[str]
    colour: str = "write"


def _size(run: Run, s: int) -> Question:
    _, slots, width = run.trace.arrays["memory"].shape
    tokens, numbers = run.trace.segments[s].start, slots * width
    return Question(
        f"{tokens:,} tokens came before this segment. How much of them can the model look at here?",
        ("All of them", "Those of the segment before", f"None: only {numbers:,} numbers made from them"),
        2,
        f"The state that crosses a boundary is {slots} vectors of {width} numbers, {numbers:,} in all, after one "
        "segment as after a million.",
    )


def _written(run: Run, s: int) -> Question:
    turned = [one for one in run.measures.followed if one.answer[s] != one.answer[s + 1]]
    n, of = len(turned), len(run.measures.followed)
    parts = [f"{one.name}, from {_said(run, one, s)} to {_said(run, one, s + 1)}" for one in turned]
    rest = [one.name for one in run.measures.followed if one not in turned]
    told = f"About {names(parts)}." if parts else "About nobody."
    stays = f" About {names(rest)} it stays: what was written is a place with whose it is." if rest and parts else ""
    return Question(
        f"All {of} are asked for before this segment and after it. About how many of them does the answer change here?",
        ("Nobody", "One", "Two or more", "All"),
        3 if n == of else min(n, 2),
        f"{told}{stays}",
    )


def _replaced(run: Run, s: int) -> Question:
    who = run.measures.who()
    old, new = _said(run, who, s), _said(run, who, s + 1)
    others = [_said(run, one, s + 1) for one in run.measures.followed if one is not who]
    other = next((place for place in [*others, *run.trace.classes] if place not in (old, new)), "nothing")
    stay = [one.name for one in run.measures.followed if one is not who and one.answer[s] == one.answer[s + 1]]
    return Question(
        f"Before this segment the answer about {who.name} was {old}. What is it after it?",
        (old, new, other),
        1,
        f"It answers {new} with {who.p[s + 1]:.2f}; one segment earlier {old} had {who.p[s]:.2f}."
        + (f" About {names(stay)} the answer stays what it was." if stay else ""),
    )


def _everybody(run: Run, s: int) -> Question:
    return Question(
        "If the question came now, about how many of them would the answer be right?",
        SHARES,
        _share(run, s),
        f"{_list(run, s)}. {_count(run, s)} right by the text so far; the people’s rows show it for every segment.",
    )


def _look(run: Run, s: int) -> Question:
    share = float(run.measures.share("read")[s])
    return Question(
        "The question stands here, the moves do not. How much of the tokens’ attention goes to memory?",
        ("Under a tenth", "A tenth to a half", "More than a half"),
        0 if share < 0.1 else 1 if share < 0.5 else 2,
        f"{share:.0%}, mean of layers and heads. But attention is not cause: that it looks there does not show that it "
        "needs to. The next step takes memory away.",
    )


def _without(run: Run, s: int) -> Question:
    return Question(
        "The same text, but memory is put back to its beginning before every segment. About how many of them is the "
        "answer still right at the end?",
        SHARES,
        _share(run, s),
        f"{_list(run, s)}: {_count(run, s)} right. The weights and the text are the same as before: what knew "
        "the rest was the memory.",
    )


def _far(run: Run, s: int) -> Question:
    right, told = (sum(each) for each in zip(*(one.score() for one in run.measures.followed), strict=True))
    return Question(
        f"Here the same model reads {run.trace.n_segments} segments, {len(run.trace.arrays['ids']):,} tokens. About "
        "how many of them is the answer right at the end?",
        SHARES,
        _share(run, s),
        f"{_list(run, s)}: {_count(run, s)} right. Over the whole text {right / max(told, 1):.0%} of the answers about "
        "somebody told of are. One text is no score: the Length page counts over hundreds, at more lengths.",
    )


def _said(run: Run, one: Followed, moment: int) -> str:
    return run.trace.classes[one.answer[moment]]


def _share(run: Run, s: int) -> int:
    """Which of SHARES is right after segment s."""
    right = [one.right[s + 1] for one in run.measures.followed]
    return 2 if min(right) == 1 else 1 if 1 in right else 0


def _list(run: Run, s: int) -> str:
    """Each with what is answered after segment s, and what would be right where that is wrong."""
    parts = []
    for one in run.measures.followed:
        wrong = f" (it is {run.trace.classes[one.truth[s + 1]]})" if one.right[s + 1] == 0 else ""
        parts.append(f"{one.name}: {_said(run, one, s + 1)}{wrong}")
    return ", ".join(parts)


def _count(run: Run, s: int) -> str:
    right = [one.right[s + 1] == 1 for one in run.measures.followed]
    return f"{sum(right)} of {len(right)} {'is' if sum(right) == 1 else 'are'}"


STEPS = (
    Step(
        "A text is read in pieces", "qa1", "keep",
        "A recurrent memory transformer cuts a text of any length into segments and reads one at a time. What it "
        "may take along is the memory: a few vectors, put in front of the next segment’s tokens.",
        "the strip: a column is a segment, and all below it belongs to the marked one. Step with →.",
        _size, (CUT, STEP), ("tokens",),
    ),
    Step(
        "A move is written", "qa1", "write",
        "Between the sentences of old speeches people move about, and any of them may be asked for at any time. The "
        "next segment will not see this one, so whatever is to be known of it later has to go into memory now.",
        "the rows of people in the strip: a bar where an answer becomes another one. The card asks about one of them.",
        _written, (STEP,), ("tokens", "answers"),
    ),
    Step(
        "One fact replaces another", "qa1", "update",
        "Somebody who was told of moves again. The latest move counts, so what memory holds about this one has to be "
        "replaced, and what it holds about the others must not be.",
        "the card: the dashed bar is the answer of before, the filled one that of now. Choose the others there, too.",
        _replaced, (STEP,), ("answers", "tokens"),
    ),
    Step(
        "What is known is kept", "qa1", "keep",
        "Other text follows. At each boundary memory passes through all layers once more, and nothing but training "
        "tells them to leave it as it is. Asking is the test: the question is put to a copy of the memory.",
        "the row “change”, whose bars nearly vanish, while the people’s rows go on unchanged.",
        _everybody, (STEP, CUT), ("slots", "answers"),
    ),
    Step(
        "A question is answered", "qa1", "read",
        "The last segment holds a question. It is read together with memory, and the answer is made from this one "
        "segment, at its last token. That memory was needed shows only where it is taken away.",
        "the tokens that look at memory most, and the heads that do, both in the strongest blue.",
        _look, (CUT, STEP, ANSWER), ("tokens", "heads"), "read",
    ),
    Step(
        "The control: without memory", "qa1.reset", "last",
        "A picture of attention alone proves nothing. So the same weights read the same text again, and before every "
        "segment the state is replaced by the initial memory.",
        "the people’s rows: each is right in the segment that tells of them, and wrong, dashed, right after it.",
        _without, (RESET, CUT, STEP), ("answers", "slots"),
    ),
    Step(
        "A longer text", "qa1-64", "last",
        "The cost of a segment does not depend on how many came before, so the same model can go on. Whether memory "
        "holds that long is a matter of training, not of room.",
        "the people’s rows from end to end: answers that replace each other, and dashed ones where it is wrong.",
        _far, (STEP,), ("answers", "slots"),
    ),
)  # fmt: skip


def at(step: Step, run: Run) -> int:
    """The segment of a step, counted from 0."""
    return next((beat.segment for beat in run.measures.beats if beat.kind == step.beat), run.trace.done - 1)


def laid_out(step: Step, open_run: Callable[[str], Run]) -> dict:
    """A step as data for the browser; where its run is missing, a sentence replaces question and picture.

    open_run: id -> run; raises InputError where there is none.
    """
    data = {"title": step.title, "text": step.text, "look": step.look, "cards": step.cards}
    data["equations"] = [symbols(line) for line in step.equations]
    try:
        run = open_run(step.trace)
    except InputError:
        return {**data, "missing": f"The run {step.trace} is not among the recorded ones, so there is no picture here."}
    s, colours = at(step, run), slices.colours(run, None)
    question = step.ask(run, s)
    name, _, control = step.trace.partition(".")
    return {
        **data,
        "run": run.id,
        "view": {"segment": s + 1, "colour": step.colour if step.colour in colours else None},
        "colours": colours,
        "watch": {"trace": name, "control": control or None, "segment": s + 1, "colour": step.colour},
        "question": question.text,
        "choices": list(question.choices),
        "right": question.right,
        "told": question.told,
    }


def symbols(line: Sequence[str]) -> list[dict]:
    """The parts of an equation: plain text, or a symbol with its subscript, its block in the drawing, its meaning."""
    parts = []
    for name in line:
        text, below, block, meaning = SYMBOLS.get(name, (name, "", "", ""))
        parts.append({"text": text, "below": below, "block": block, "meaning": meaning})
    return parts
