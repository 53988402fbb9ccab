"""The beats of a run: the moments at which a fact is written, kept, added and read. Numpy only."""

from dataclasses import dataclass

import numpy as np

RISE = 0.3  # a fact is written where the answer's probability rises by so much to where it never was
SPIKE = 4.0  # or, where asking tells nothing, where memory changes by so many times the run's own median
FOCUS = 1.4  # memory singles a token out: so many times the run's median of the most looked-at token
COMPARABLE = 0.5  # a second write changes memory by at least this share of the first
KNOWN = 0.5


@dataclass(frozen=True)
class Beat:
    """One of the four moments of the paper's Figure 6: "write", "keep", "append" or "read", and its segment."""

    kind: str
    segment: int


def find_beats(
    moved: np.ndarray,
    known: np.ndarray,
    question: int | None,
    answer_read: np.ndarray | None = None,
    *,
    shift: np.ndarray | None = None,
    focus: np.ndarray | None = None,
) -> tuple[Beat, ...]:
    """Beats by threshold against the run's own numbers; where facts really stand is never looked at.

    moved (S,) change of memory, known (S + 1,) probability of the answer or nan, question its segment,
    answer_read (S,) attention of the answering position to memory, used where there is no question. shift and focus
    (S,) as the functions of these names give them: a segment that has both told something too.
    A run that writes nothing has no beats, and one that forgets what it wrote has no more than the write.
    """
    if not len(moved):
        return ()
    asked = bool(np.isfinite(known).all())
    told = None if shift is None or focus is None else (shift >= RISE) & (focus >= FOCUS)
    writes = _writes(moved, known if asked else None, told, focus)
    if not writes:
        return ()
    found = [Beat("write", writes[0])] + [Beat("append", s) for s in writes[1:2]]
    last = question if question is not None else _largest_after(answer_read, writes[-1])
    if last is None or last < writes[-1] or (asked and known[last + (last == writes[-1])] < KNOWN):
        return tuple(found)
    for after, before in zip(writes, [*writes[1:], last], strict=True):
        if before - after > 1:
            found.append(Beat("keep", after + 1 + int(np.argmin(moved[after + 1 : before]))))
            break
    return tuple(sorted([*found, Beat("read", last)], key=lambda beat: beat.segment))


def _writes(
    moved: np.ndarray, known: np.ndarray | None, told: np.ndarray | None, focus: np.ndarray | None
) -> list[int]:
    """One or two segments that wrote a fact, in order."""
    rest = moved[1:]  # the first segment always changes a lot: it leaves the initial memory
    spikes = set()
    if len(rest) > 2 and rest.any():
        high = max(SPIKE * float(np.median(rest)), COMPARABLE * float(rest.max()))
        spikes = {int(s) + 1 for s in np.flatnonzero(rest >= high)}
    if known is None:
        return sorted(sorted(spikes, key=lambda s: -moved[s])[:2])
    rise = np.diff(known)
    before = np.maximum.accumulate(known)[:-1]  # a return to an old guess is not news
    news = np.flatnonzero(known[1:] - before >= RISE)
    spikes = {s for s in spikes if rise[s] > -RISE and known[s + 1 :].max() >= KNOWN}
    if focus is not None:  # leaving the initial memory changes it too, and looks at nothing in particular
        spikes = {s for s in spikes if focus[s] >= FOCUS}
    if not len(news):
        return sorted(sorted(spikes, key=lambda s: -moved[s])[:2])
    decisive = int(news[np.argmax(rise[news])])
    others = {*spikes, *map(int, news), *map(int, np.flatnonzero(told) if told is not None else ())} - {decisive}
    others = [s for s in others if s == 0 or moved[s] >= COMPARABLE * moved[decisive]]
    return sorted([decisive, *sorted(others, key=lambda s: -moved[s])[:1]])


def _largest_after(series: np.ndarray | None, segment: int) -> int | None:
    if series is None or segment + 1 >= len(series):
        return None
    return segment + 1 + int(np.argmax(series[segment + 1 :]))
