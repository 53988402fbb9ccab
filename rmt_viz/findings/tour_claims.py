"""What the Tour says of a run: the sentence under each picture, the question before it, and the evidence beside it."""

import numpy as np

from rmt.measure import Followed
from rmt.viewer.slices import Run
from rmt_viz.findings.essay import Question, Sources
from rmt_viz.findings.evidence import RESET, TOLD, Table, asked, conditions, edit, table
from rmt_viz.findings.words import names

SHARES = ("Nobody", "Some", "All of them")


# The sentences under the pictures. s: the segment that is shown, counted from 0.


def size(sources: Sources, run: Run, s: int) -> str:
    """How much crosses, against how much was read."""
    _, slots, width = run.trace.arrays["memory"].shape
    segment = run.trace.segments[s]
    return (
        f"Segment {s + 1} of {run.trace.n_segments}: {slots} memory vectors stand in front of its "
        f"{len(segment.tokens)} tokens. Of the {segment.start:,} tokens before it nothing else is left: {slots} × "
        f"{width} = {slots * width:,} numbers, after one segment as after a million."
    )


def written(sources: Sources, run: Run, s: int) -> str:
    """What the answer about somebody becomes in a segment, and what is left of it one later, with memory and reset."""
    who = run.measures.who().name
    (before, _), (after, p), (later, p_later) = (asked(run, who, moment) for moment in (s, s + 1, s + 2))
    told = f"After segment {s + 1} the answer about {who} is {after} ({p:.2f}); before it, {before}. "
    says = "" if tells(run, s + 1, who) else ", which does not say it,"
    told += f"One segment later{says} it is {later} ({p_later:.2f})"
    reset = conditions(sources, run.id, s + 2).get(RESET)
    if not reset:
        return f"{told}."
    gone, p_gone = asked(reset, who, s + 2)
    cause = "memory carried it" if gone != later == after else "this run does not show that memory carried it"
    return f"{told}; with memory reset at the boundary, {gone} ({p_gone:.2f}): {cause}."


def replaced(sources: Sources, run: Run, s: int) -> str:
    """Which answer replaces which, what it would be by another fact in its place, and without memory."""
    who = run.measures.who()
    (old, _), (new, p) = asked(run, who.name, s), asked(run, who.name, s + 1)
    told = f"{who.name} moves again: after segment {s + 1} the answer is {new} ({p:.2f}), no longer {old}"
    others = [one for one in run.measures.followed if one is not who]
    rest = [one for one in others if one.truth[s] == one.truth[s + 1]]
    stay = [one.name for one in rest if one.answer[s] == one.answer[s + 1]]
    told += f"; about {names(stay)}, of whom it tells nothing new, it stays" if stay else ""
    return f"{told}. {_moved(sources, run, who.name, s + 2)}".strip()


def kept(sources: Sources, run: Run, s: int) -> str:
    """How far memory moves in a segment of other text; how many answers are right after it, with memory and reset."""
    moved = run.measures.slot_mean
    most = int(np.nanargmax(moved))
    told = f"In segment {s + 1} memory moves {moved[s] / moved[most]:.0%} as far as in segment {most + 1}, its most. "
    told += f"After it {_count(run, s)} right"
    reset = conditions(sources, run.id, s + 1).get(RESET)
    return f"{told}; with memory reset at each boundary, {_count(reset, s)}." if reset else f"{told}."


def read(sources: Sources, run: Run, s: int) -> str:
    """The last answer, by the text as it is, with a fact changed, with memory reset, and with both."""
    who, tokens = run.measures.who().name, run.trace.segments[s].tokens
    answer, p = asked(run, who, s + 1)
    asks = "asks" if tells(run, s, who) else f"asks; its {len(tokens)} tokens do not say it"
    told = f"Segment {s + 1} {asks}. The answer about {who} is {answer} ({p:.2f}). "
    return (told + _moved(sources, run, who, s + 1)).strip()


def _moved(sources: Sources, run: Run, who: str, moment: int) -> str:
    """What an answer becomes when a fact is changed, when memory is reset, and when both are done."""
    runs = conditions(sources, run.id, moment)
    now, _ = asked(run, who, moment)
    parts, moves, gone = [], False, False
    changed = [(condition, other) for condition, other in runs.items() if edit(other)]
    if changed:
        answer, p = asked(changed[0][1], who, moment)
        moves = answer != now
        parts.append(f"With “{edit(changed[0][1])[1]}” in the text in its place it is {answer} ({p:.2f})")
    if RESET in runs:
        answer, p = asked(runs[RESET], who, moment)
        gone = answer != now
        parts.append(f"with memory reset {answer} ({p:.2f})")
    if len(changed) > 1:
        answer, p = asked(changed[1][1], who, moment)
        gone = gone and answer == asked(runs[RESET], who, moment)[0]
        parts.append(f"with both {answer} ({p:.2f})")
    cause = ": the answer hangs on the fact, and the fact comes by memory" if moves and gone else ""
    told = f"{'; '.join(parts)}{cause}." if parts else ""
    return told[:1].upper() + told[1:]


def without(sources: Sources, run: Run, s: int) -> str:
    """What is answered at the end without memory, and how many were right with it."""
    trained = sources.run(run.id.partition(".")[0])
    told = f"{_list(run, s)}: {_count(run, s)} right. "
    if not trained:
        return told.strip()
    return f"{told}With memory, by the same weights and the same text, {_count(trained, s)}."


def far(sources: Sources, run: Run, s: int) -> str:
    """How many answers are right over a long text, with memory and reset."""
    told = f"{run.trace.n_segments} segments, {len(run.trace.arrays['ids']):,} tokens: {_over(run)}"
    reset = sources.run(f"{run.id}.reset")
    return f"{told}; with memory reset at each boundary {_over(reset).split(' answers')[0]}." if reset else f"{told}."


def tells(run: Run, s: int, who: str) -> bool:
    """Whether a segment, counted from 0, tells a fact about somebody."""
    trace = run.trace
    facts = [span for span in trace.spans if span["kind"] == "fact" and trace.segment_of(span["start"]) == s]
    return any(who in "".join(trace.token_texts(span["start"], span["end"])) for span in facts)


def _over(run: Run) -> str:
    right, told = (sum(each) for each in zip(*(one.score() for one in run.measures.followed), strict=True))
    return f"{right} of {told} answers about somebody told of are right"


# The evidence beside them.


def later(sources: Sources, run: Run, s: int) -> Table:
    """The followed person asked for one segment after this one, whose own text no longer tells it."""
    return table(sources, run.id, run.measures.who().name, min(s + 2, run.trace.done))


def here(sources: Sources, run: Run, s: int) -> Table:
    """The followed person asked for after this segment."""
    return table(sources, run.id, run.measures.who().name, s + 1)


def of_trained(sources: Sources, run: Run, s: int) -> Table | None:
    """The same, for the picture of a control: its trained run comes first."""
    name = run.id.partition(".")[0]
    return table(sources, name, run.measures.who().name, s + 1) if TOLD in conditions(sources, name, s + 1) else None


# The questions before them.


def ask_size(run: Run, s: int) -> Question:
    """How much of the text before it a segment can look at."""
    _, slots, width = run.trace.arrays["memory"].shape
    tokens, numbers = run.trace.segments[s].start, slots * width
    return Question(
        f"{tokens:,} tokens came before this segment. How much of them can the model look at here?",
        ("All of them", "Those of the segment before", f"None: only {numbers:,} numbers made from them"),
        2,
        f"The state that crosses a boundary is {slots} vectors of {width} numbers, {numbers:,} in all, after one "
        "segment as after a million.",
    )


def ask_written(run: Run, s: int) -> Question:
    """About how many people the answer changes in a segment."""
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


def ask_replaced(run: Run, s: int) -> Question:
    """What the answer about somebody is after another fact about the same person."""
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


def ask_kept(run: Run, s: int) -> Question:
    """About how many the answer would be right in the middle of other text."""
    return Question(
        "If the question came now, about how many of them would the answer be right?",
        SHARES,
        _share(run, s),
        f"{_list(run, s)}. {_count(run, s)} right by the text so far; the people’s rows show it for every segment.",
    )


def ask_read(run: Run, s: int) -> Question:
    """How much of the attention goes to memory where the question stands."""
    share = float(run.measures.share("read")[s])
    return Question(
        "The question stands here, the moves do not. How much of the tokens’ attention goes to memory?",
        ("Under a tenth", "A tenth to a half", "More than a half"),
        0 if share < 0.1 else 1 if share < 0.5 else 2,
        f"{share:.0%}, mean of layers and heads. But attention is not cause: that it looks there does not show that it "
        "needs to. What shows it is the table: the fact changed, and memory taken away.",
    )


def ask_without(run: Run, s: int) -> Question:
    """About how many the answer is right without memory."""
    return Question(
        "The same text, but memory is put back to its beginning before every segment. About how many of them is the "
        "answer still right at the end?",
        SHARES,
        _share(run, s),
        f"{_list(run, s)}: {_count(run, s)} right. The weights and the text are the same as before: what knew "
        "the rest was the memory.",
    )


def ask_far(run: Run, s: int) -> Question:
    """About how many the answer is right at the end of a long text."""
    return Question(
        f"Here the same model reads {run.trace.n_segments} segments, {len(run.trace.arrays['ids']):,} tokens. About "
        "how many of them is the answer right at the end?",
        SHARES,
        _share(run, s),
        f"{_list(run, s)}: {_count(run, s)} right. One text is no score: the next picture counts over hundreds.",
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
