"""The tour's seven steps over recorded runs, each with a question whose answer is computed from the run itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from rmt.measure import KNOWN, answer_class
from rmt.viewer.slices import Run

ALIKE = 0.25  # slots whose changes differ by less than this share of their mean are told as alike
CHANCE, SURE = 0.34, 0.8
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


def _slot(run: Run, s: int) -> Question:
    moved = run.measures.change[s]
    alike = float(np.ptp(moved)) < ALIKE * float(moved.mean())
    choices = (*(f"Slot {i + 1}" for i in range(len(moved))), "All about alike")
    most, least = int(np.argmax(moved)), int(np.argmin(moved))
    told = (
        f"All {len(moved)} move by {moved.mean():.1f}, each by nearly as much: this model uses its slots as copies."
        if alike
        else f"Slot {most + 1} moves most, by {moved[most]:.1f}; slot {least + 1} least, by {moved[least]:.1f}."
    )
    return Question("Which slot will change most here?", choices, len(moved) if alike else most, told)


def _sure(run: Run, s: int) -> Question:
    knows, wrote = run.measures.knows, next((b.segment for b in run.measures.beats if b.kind == "write"), 0)
    now = float(knows[s + 1])
    return Question(
        f"The fact came {s - wrote} segments ago. If the question came now, how sure would the model be of the answer?",
        ("No surer than chance", "About half sure", "Nearly certain"),
        0 if now < CHANCE else 1 if now < SURE else 2,
        f"It would give the right answer {now:.2f}; before the fact, {float(knows[wrote]):.2f}. Chance is one in "
        f"{len(run.trace.classes)}.",
    )


def _look(run: Run, s: int) -> Question:
    share = float(run.measures.share("read")[s])
    return Question(
        "The question stands here, the fact does not. How much of the tokens’ attention goes to memory?",
        ("Under a tenth", "A tenth to a half", "More than a half"),
        0 if share < 0.1 else 1 if share < 0.5 else 2,
        f"{share:.0%}, mean of layers and heads. But attention is not cause: that it looks there does not show that it "
        "needs to. The next step takes memory away.",
    )


def _without(run: Run, s: int) -> Question:
    truth, classes = answer_class(run.trace), run.trace.classes
    p = float(run.measures.knows[-1])
    right = run.trace.answer == classes[truth]
    given = run.trace.probabilities[run.trace.answer]
    return Question(
        f"The same text, but memory is put back to its beginning before every segment. Does it still answer "
        f"“{classes[truth]}”?",
        ("Yes", "No"),
        0 if right else 1,
        f"It answers {run.trace.answer} with {given:.2f} and gives {classes[truth]} {p:.2f}. The weights and the "
        "text are the same: what made the answer before is the memory.",
    )


def _far(run: Run, s: int) -> Question:
    last = float(run.measures.knows[-1])
    wrote = next((b.segment for b in run.measures.beats if b.kind == "write"), 0)
    return Question(
        "This model was taught with texts of 1 to 7 segments, then with streams of text, in which a fact had to last. "
        f"Here it reads {run.trace.n_segments} segments. Is the place of segment {wrote + 1} still there at the end?",
        ("Yes", "No"),
        0 if last >= KNOWN else 1,
        f"It gives the right answer {last:.2f} after {run.trace.n_segments - wrote - 1} segments of speeches, of which "
        "sentences that name a person or place were left out. The Length page counts this over a thousand texts.",
    )


STEPS = (
    Step(
        "A text is read in pieces", "detect", "keep",
        "A recurrent memory transformer cuts a text of any length into segments and reads one at a time. What it "
        "may take along is the memory: a few vectors, put in front of the next segment’s tokens.",
        "the strip: a column is a segment, and all below it belongs to the marked one. Step with →.",
        _size, (CUT, STEP), ("tokens",),
    ),
    Step(
        "A fact is written", "detect", "write",
        "Somewhere in the noise stands one fact. The next segment will not see this one, so whatever is to be known "
        "of it later has to go into memory now. Memory’s own positions attend to the tokens: that is a write.",
        "the word with the strongest colour, and the tallest bar in the row “change”.",
        _slot, (STEP,), ("tokens", "slots"),
    ),
    Step(
        "The fact is kept", "detect", "keep",
        "Noise follows. At each boundary memory passes through all layers once more, and nothing but training tells "
        "them to leave it as it is. What this model keeps of the fact is the place: it answers any question with it, "
        "whoever is asked for.",
        "the row “change”, whose bars nearly vanish, while “knows” stays up.",
        _sure, (STEP, CUT), ("slots", "answers"),
    ),
    Step(
        "The fact is read", "detect", "read",
        "The last segment holds the question. It is read together with memory, and the answer is made from this one "
        "segment, at [CLS], a position of the model’s own. That memory was needed shows only where it is taken away.",
        "the tokens that look at memory most, and the heads that do, both in the strongest blue.",
        _look, (CUT, STEP, ANSWER), ("tokens", "heads"), "read",
    ),
    Step(
        "The control: without memory", "detect.reset", "last",
        "A picture of attention alone proves nothing. So the same weights read the same text again, and before every "
        "segment the state is replaced by the initial memory.",
        "the row “knows”: it falls back right after the fact’s own segment.",
        _without, (RESET, CUT, STEP), ("answers", "slots"),
    ),
    Step(
        "As long as it was trained to hold", "detect-64", "last",
        "The cost of a segment does not depend on how many came before, so the same model can go on. Whether memory "
        "holds that long is a matter of training, not of room.",
        "the segment where the fact comes in, and “knows” from there to the end.",
        _far, (STEP,), ("answers", "slots"),
    ),
    Step(
        "A second fact is told", "reasoning", "append",
        "Two facts stand far apart, and the question asks for one of them: which one is said only at the end, so both "
        "have to be held. No question of this task needs the two together. The slots of this model are no copies of "
        "each other.",
        "the column of this segment: the slots do not move alike.",
        _slot, (STEP,), ("slots", "tokens"),
    ),
)  # fmt: skip


def at(step: Step, run: Run) -> int:
    """The segment of a step, counted from 0."""
    return next((beat.segment for beat in run.measures.beats if beat.kind == step.beat), run.trace.done - 1)


def symbols(line: Sequence[str]) -> list[dict]:
    """The parts of an equation: plain text, or a symbol with its subscript, its block in the drawing, its meaning."""
    parts = []
    for name in line:
        text, below, block, meaning = SYMBOLS.get(name, (name, "", "", ""))
        parts.append({"text": text, "below": below, "block": block, "meaning": meaning})
    return parts
