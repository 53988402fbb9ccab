"""The beats of a run: the moments at which a fact is written, kept, appended and read. Numpy only."""

from dataclasses import dataclass

import numpy as np

RISE = 0.3  # of the answer's probability above all earlier values, or above that with the initial memory
SPIKE = 4.0  # a value is more than noise at so many times the run's median of it
FOCUS = 1.4  # memory singles a token out at so many times the run's median of the highest attention to a token
COMPARABLE = 0.5  # a second write changes memory by at least this share of the first
STILL = 0.1  # memory is kept where its slots move by less than this share of their own length
KNOWN = 0.5  # probability from which on an answer counts as known
MOST_BEATS = 4  # of one that is followed: as many as keys lead to

ANSWERS, MOVEMENT, ATTENTION = "answers", "movement", "attention"


@dataclass(frozen=True)
class Beat:
    """A beat of a run: its kind, its segment, and the numbers it is based on.

    "write", "append", "keep" and "read" are the moments of the paper's Figure 6. They are claimed only where answers
    show them: the question was asked with a copy of the memory after every segment. "update" is a write that replaces
    an earlier answer, where one of several people is followed. Without a question a beat is named after the
    measurement: "change" and "still" for the movement of memory, "look" for attention to it.
    made_from: those of "answers", "movement" and "attention" that the beat is based on.
    """

    kind: str
    segment: int
    made_from: tuple[str, ...]


@dataclass(frozen=True)
class Series:
    """The curves in which beats are found, one number a segment: moved and length (S,) of the slots, and others.

    known (S + 1,): probability of the answer if the question came before the first segment and after each, NaN where
    nothing was asked. question: its segment. looked (S,): attention of the answering position to memory. shift, focus
    (S,): of `rmt.measure.run`. reset: whether memory was reset before every segment.
    """

    moved: np.ndarray
    length: np.ndarray
    known: np.ndarray
    question: int | None = None
    looked: np.ndarray | None = None
    shift: np.ndarray | None = None
    focus: np.ndarray | None = None
    reset: bool = False


@dataclass(frozen=True)
class Turns:
    """What a run answers about one of several that can be asked for.

    shares (S + 1, C): answer probabilities before the first segment and after each. everybody (S,): where the answers
    about all of them turned at once. asked: whether the question with which the text ends is about this one.
    """

    shares: np.ndarray
    everybody: np.ndarray
    asked: bool


def find_turns(series: Series, turns: Turns) -> tuple[Beat, ...]:
    """The beats of one of several: where its answer is written and replaced, kept and read; at most `MOST_BEATS`.

    A turn counts where the new answer is sure, rises by more than noise does, and is not what the initial memory says.
    What is right is never looked at.
    """
    shares, answer = turns.shares, turns.shares.argmax(-1)
    segments = np.arange(len(series.moved))
    new = answer[1:]
    rise = shares[1:][segments, new] - shares[:-1][segments, new]
    turned = new != answer[:-1]
    noise = SPIKE * float(np.median(np.abs(rise[~turned]))) if (~turned).any() else 0.0
    news = turned & (new != answer[0]) & (shares[1:][segments, new] >= KNOWN) & (rise >= max(RISE, noise))
    looks = series.focus is None or (series.focus[0] >= FOCUS if len(segments) else False)
    if news.any() and turns.everybody[0] and not looks:  # to leave the initial memory turns answers, too: all of them
        news[0] = False
    last = len(segments) - 1 if series.question is None else series.question
    if series.question is not None:
        news[series.question :] = False
    writes = np.flatnonzero(news).tolist()
    if not writes:
        return ()
    found = [Beat("write" if s == writes[0] else "update", s, (ANSWERS,)) for s in writes]
    after = []
    if not series.reset and answer[last] == answer[writes[-1] + 1]:  # what was written last is there, and not put back
        end = last if turns.asked else len(segments)
        quiet = [s for s in _still(series, writes[-1], end) if answer[s + 1] == answer[s]]
        if quiet:
            after.append(Beat("keep", min(quiet, key=lambda s: series.moved[s]), (MOVEMENT, ANSWERS)))
        if turns.asked and shares[last][answer[last]] >= max(KNOWN, shares[0][answer[last]] + RISE):
            after.append(Beat("read", last, (ANSWERS,)))
    return (*found[:1], *found[1:][-(MOST_BEATS - 1 - len(after)) :], *after)


def find_beats(series: Series) -> tuple[Beat, ...]:
    """Find the beats of a run, in order, by thresholds on its own numbers; the true positions of facts are not used.

    A run in which no answer changes has no beats, and a run that forgets what it wrote has only the write.
    """
    asked = len(series.moved) and series.question is not None and np.isfinite(series.known).all()
    beats = _from_answers(series) if asked else _from_movement(series)
    return tuple(sorted(beats, key=lambda beat: beat.segment))


def _from_answers(series: Series) -> list[Beat]:
    """The beats write, append, keep and read, where answers show them."""
    writes, known, last = _writes(series), series.known, series.question
    beats = [Beat(kind, *write) for kind, write in zip(("write", "append"), writes, strict=False)]
    if not writes or series.reset:  # a memory that is reset keeps nothing and is not read
        return beats
    segments = [s for s, _ in writes]
    if known[last] < max(KNOWN, known[0] + RISE):  # the initial memory would answer as well
        return beats
    for after, before in zip(segments, [*segments[1:], last], strict=True):
        quiet = [s for s in _still(series, after, before) if abs(known[s + 1] - known[s]) < RISE]
        if quiet:
            beats.append(Beat("keep", min(quiet, key=lambda s: series.moved[s]), (MOVEMENT, ANSWERS)))
            break
    return [*beats, Beat("read", last, (ANSWERS,))]


def _writes(series: Series) -> list[tuple[int, tuple[str, ...]]]:
    """The one or two segments that wrote a fact, in order, with the numbers that show it."""
    moved, known, focus = series.moved, series.known, series.focus
    rise = np.diff(known)
    before = np.maximum.accumulate(known)[:-1]  # a return to an earlier guess does not count
    noise = SPIKE * float(np.median(np.abs(rise)))
    looks = np.zeros(len(moved), bool) if focus is None else focus >= FOCUS
    news = known[1:] - before >= max(RISE, noise)
    news[0] &= looks[0]  # leaving the initial memory changes answers, too, without attention to any one token
    news[series.question :] = False  # reading the question changes answers, too, and nothing comes after it
    if not news.any():
        return []
    decisive = int(np.argmax(np.where(news, rise, -np.inf)))
    shifts = looks & (series.shift >= RISE) if series.shift is not None else np.zeros(len(moved), bool)
    others = [int(s) for s in np.flatnonzero((news | shifts)[: series.question]) if s != decisive]
    others = [s for s in others if s == 0 or moved[s] >= COMPARABLE * moved[decisive]]
    others = sorted(others, key=lambda s: -moved[s])[:1]
    return sorted((s, (ANSWERS,) if news[s] and s else (ANSWERS, ATTENTION)) for s in (decisive, *others))


def _from_movement(series: Series) -> list[Beat]:
    """The beats change, still and look, where there is no question."""
    moved, focus = series.moved, series.focus
    rest = moved[1:]  # the first segment always moves memory far: it leaves the initial one
    if len(rest) < 3 or not rest.any():
        return []
    high = max(SPIKE * float(np.median(rest)), COMPARABLE * float(rest.max()))
    spikes = [s for s in range(1, len(moved)) if moved[s] >= high and moved[s] > moved[s - 1]]
    if focus is not None:
        spikes = [s for s in spikes if focus[s] >= FOCUS]
    spikes = sorted(sorted(spikes, key=lambda s: -moved[s])[:2])
    if not spikes or series.reset:
        return []
    made_from = (MOVEMENT,) if focus is None else (MOVEMENT, ATTENTION)
    beats = [Beat("change", s, made_from) for s in spikes]
    looked = series.looked[spikes[-1] + 1 :] if series.looked is not None else ()
    if not len(looked):
        return beats
    last = spikes[-1] + 1 + int(np.argmax(looked))
    for after, before in zip(spikes, [*spikes[1:], last], strict=True):
        quiet = _still(series, after, before)
        if quiet:
            beats.append(Beat("still", min(quiet, key=lambda s: moved[s]), (MOVEMENT,)))
            break
    return [*beats, Beat("look", last, (ATTENTION,))]


def _still(series: Series, after: int, before: int) -> list[int]:
    """The segments between two others in which slots move little for their length."""
    return [s for s in range(after + 1, before) if series.moved[s] < STILL * series.length[s]]
