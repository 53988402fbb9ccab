"""Verdicts on claims about mechanisms: whether what papers say was seen in the tables of results. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rmt_viz.findings import recall
from rmt_viz.findings.recall import FACTS, FAR, QUOTATION, Lines, Point, name
from rmt_viz.findings.words import percent
from rmt_viz.shelf.recalled import Recalled, Stretched

HOLDS, NOT, OPEN = "seen", "not so here", "within the error"
UNLEARNED, UNKNOWN = "not learned", "not measured"
Verdict = tuple[str, str]  # whether it holds, and what was seen


@dataclass(frozen=True)
class Seen:
    """What claims are held against: what mechanisms give back, and losses on texts longer than trained on."""

    rows: Sequence[Recalled] = ()
    stretched: Sequence[Stretched] = ()

    def lines(self, experiment: str, control: str = "none") -> Lines:
        return recall.lines(self.rows, experiment, control)

    def at(self, kind: str, experiment: str, x: int | None = None, control: str = "none") -> Point | None:
        """The point of a mechanism at x, by default at the largest; None where it was not measured."""
        points = self.lines(experiment, control).get(kind, {})
        return points.get(max(points) if x is None and points else x)

    def above_reset(self, kind: str, experiment: str, x: int | None = None) -> bool:
        """Whether a mechanism gives back more than with its memory reset, by default at the largest x."""
        one, guessed = self.at(kind, experiment, x), self.at(kind, experiment, x, "reset")
        return bool(one and guessed and one.above(guessed))

    def knows(self, kind: str, experiment: str) -> bool:
        """Whether a mechanism learned an experiment's easiest case."""
        return self.above_reset(kind, experiment, min(self.lines(experiment).get(kind, {}), default=None))

    def reach(self, kind: str) -> int | None:
        """How many segments later a fact is still known; None where it was not measured."""
        given, reset = self.lines(FAR), self.lines(FAR, "reset")
        return recall.reach(given, reset, kind) if kind in given and kind in reset else None


Held = Callable[[Seen], Verdict]
WHAT = {QUOTATION: "of {} quoted tokens", FACTS: "of {} facts"}


def more(one: Point | None, other: Point | None, words: str) -> Verdict:
    """Whether one share is above another. words: with two places for the shares."""
    if one is None or other is None:
        return UNKNOWN, ""
    told = words.format(percent(one.y), percent(other.y))
    return HOLDS if one.above(other) else NOT if other.above(one) else OPEN, told


def better(kind: str, than: str, experiment: str) -> Held:
    """Claim: at its largest x one mechanism gives back more than another."""

    def verdict(seen: Seen) -> Verdict:
        x = max(seen.lines(experiment).get(kind, {}), default=0)
        words = f"{WHAT[experiment].format(x)}: {name(kind)} {{}}, {name(than)} {{}}"
        found, told = more(seen.at(kind, experiment, x), seen.at(than, experiment, x), words)
        blank = [name(one) for one in (kind, than) if not seen.knows(one, experiment)]
        if found != UNKNOWN and blank:
            return UNLEARNED, f"{' and '.join(blank)} did not learn the easiest case"
        return found, told

    return verdict


def as_much(kind: str, than: str, experiment: str) -> Held:
    """Claim: one mechanism gives back no less than another.

    It holds where it gives back more, or where there is no difference and both are above their controls.
    """

    def verdict(seen: Seen) -> Verdict:
        found, told = better(kind, than, experiment)(seen)
        if found != OPEN or not (seen.above_reset(kind, experiment) and seen.above_reset(than, experiment)):
            return found, told
        return HOLDS, f"{told}: no difference within the error"

    return verdict


def farther(kind: str, than: str) -> Held:
    """Claim: a fact is known farther back by one mechanism than by another."""

    def verdict(seen: Seen) -> Verdict:
        one, other = seen.reach(kind), seen.reach(than)
        if one is None or other is None:
            return UNKNOWN, ""
        told = f"segments later known: {name(kind)} up to {one:,}, {name(than)} up to {other:,}"
        return HOLDS if one > other else NOT if other > one else OPEN if one else UNLEARNED, told

    return verdict


def loses_quotations(kind: str) -> Held:
    """Claim: of a long quotation a smaller share is copied than of a short one."""

    def verdict(seen: Seen) -> Verdict:
        points = seen.lines(QUOTATION).get(kind, {})
        if len(points) < 2:
            return UNKNOWN, ""
        if not seen.knows(kind, QUOTATION):
            return UNLEARNED, f"{name(kind)} did not copy a single token"
        words = f"{name(kind)} copies {{}} of {min(points)} token, {{}} of {max(points)}"
        return more(points[min(points)], points[max(points)], words)

    return verdict


def forgets(*kinds: str) -> Held:
    """Claim: what one segment later is known is no longer known beyond the cache."""

    def verdict(seen: Seen) -> Verdict:
        given = seen.lines(FAR)
        asked = {kind: seen.reach(kind) for kind in kinds if kind in given}
        if not asked:
            return UNKNOWN, ""
        known = {kind: x for kind, x in asked.items() if x}  # what never learned it has nothing to forget
        if not known:
            return UNLEARNED, "none of them knew the fact"
        told = ", ".join(f"{name(kind)} up to {x}" for kind, x in known.items())
        lost = all(x < max(given[kind]) for kind, x in known.items())
        return HOLDS if lost else NOT, f"segments later known: {told}"

    return verdict


def holds_nothing(kind: str) -> Held:
    """Claim: nothing of an earlier segment is known."""

    def verdict(seen: Seen) -> Verdict:
        x, one = seen.reach(kind), seen.at(kind, FACTS, 1)
        if x is None or one is None:
            return UNKNOWN, ""
        return HOLDS if not x and not seen.knows(kind, FACTS) else NOT, f"{name(kind)}, of one fact: {percent(one.y)}"

    return verdict


def reaches(kind: str, least: int) -> Held:
    """Claim: a fact is still known so many segments later."""

    def verdict(seen: Seen) -> Verdict:
        x = seen.reach(kind)
        if x is None:
            return UNKNOWN, ""
        if not x:
            return UNLEARNED, f"{name(kind)} did not know the fact one segment later"
        share = percent(seen.at(kind, FAR, x).y)
        return HOLDS if x >= least else NOT, f"{name(kind)} above its control up to {x:,} segments later ({share})"

    return verdict


def needs_query(kind: str) -> Held:
    """Claim: fewer facts are given back where nothing tells in advance what will be asked."""
    words = f"{name(kind)}, of 16 facts: {{}} where the keys stand before, {{}} where not"
    return lambda seen: more(seen.at(kind, FACTS, 16), seen.at(kind, FACTS, 16, "unannounced"), words)


def needs_none(kind: str) -> Held:
    """Claim: as many facts are given back where nothing tells in advance what will be asked."""
    opposite = {HOLDS: NOT, OPEN: HOLDS, NOT: HOLDS, UNKNOWN: UNKNOWN}
    return lambda seen: (opposite[needs_query(kind)(seen)[0]], needs_query(kind)(seen)[1])


def grows(kind: str, does: bool) -> Held:
    """Claim: the memory grows with the text, or does not."""

    def verdict(seen: Seen) -> Verdict:
        of_kind = [row for row in seen.rows if (row.mechanism, row.experiment) == (kind, FAR) and row.control == "none"]
        sizes = {row.x: row.numbers for row in of_kind if row.numbers}
        if len(sizes) < 2:
            return UNKNOWN, ""
        first, last = min(sizes), max(sizes)
        told = f"{name(kind)}: {sizes[first]:,} numbers after {first} segment, {sizes[last]:,} after {last:,}"
        return HOLDS if (sizes[last] > sizes[first]) == does else NOT, told

    return verdict


def knows(kind: str) -> Held:
    """Claim: facts are given back, against the control without memory."""

    def verdict(seen: Seen) -> Verdict:
        words = f"{name(kind)}, of 16 facts: {{}}, with its memory reset {{}}"
        found, told = more(seen.at(kind, FACTS), seen.at(kind, FACTS, control="reset"), words)
        one = seen.at(kind, FACTS, 1)
        if found == OPEN and not seen.knows(kind, FACTS):
            found = UNLEARNED
        return found, f"{told}; of one: {percent(one.y)}" if told and one else told

    return verdict


def stretched(reads: str, against: str, *, tuned: bool, lower: bool) -> Held:
    """Claim: one way to read longer texts has a lower loss than another, or a higher one, at every length."""

    def verdict(seen: Seen) -> Verdict:
        rows = [row for row in seen.stretched if row.reads == reads and row.tuned == tuned]
        if not rows:
            return UNKNOWN, ""
        gains = [recall.gain(row, against) for row in rows]
        sure = [(gain if lower else -gain) > recall.ERRORS * error for gain, error in gains]
        told = ", ".join(f"×{row.times} {gain:+.2f}" for row, (gain, _) in zip(rows, gains, strict=True))
        told = f"nats below {against}: {told}"
        return HOLDS if all(sure) else OPEN if any(sure) else NOT, told

    return verdict
