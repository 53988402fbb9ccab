"""Claims of Mechanisms: what papers say of a mechanism, and whether it was seen here. No torch, no streamlit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rmt_viz.findings import recall
from rmt_viz.findings.recall import EXTRAPOLATION, FACTS, FAR, INTERPOLATION, QUOTATION, WINDOW, Lines, Point, name
from rmt_viz.findings.words import percent
from rmt_viz.shelf.recalled import Recalled, Stretched

HOLDS, NOT, OPEN, UNKNOWN = "seen", "not so here", "within the error", "not measured"


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


Verdict = tuple[str, str]  # whether it holds, and what was seen


@dataclass(frozen=True)
class Claim:
    """A sentence of the field, who says so, what to run, and the verdict that the results give."""

    says: str
    source: str
    held_against: Callable[[Seen], Verdict]
    command: str = "recipes/mechanisms.sh"


def more(one: Point | None, other: Point | None, words: str) -> Verdict:
    """Whether one share is above another. words: with two places for the shares."""
    if one is None or other is None:
        return UNKNOWN, ""
    told = words.format(percent(one.y), percent(other.y))
    return HOLDS if one.above(other) else NOT if other.above(one) else OPEN, told


def _better(kind: str, than: str, experiment: str, what: str) -> Callable[[Seen], Verdict]:
    """Claim: at its largest x one mechanism gives back more than another."""
    words = f"{what}: {name(kind)} {{}}, {name(than)} {{}}"
    return lambda seen: more(seen.at(kind, experiment), seen.at(than, experiment), words)


def _loses_quotations(seen: Seen) -> Verdict:
    points = seen.lines(QUOTATION).get("rmt", {})
    if len(points) < 2:
        return UNKNOWN, ""
    words = f"RMT copies {{}} of {min(points)} token, {{}} of {max(points)}"
    return more(points[min(points)], points[max(points)], words)


def _forgets(*kinds: str) -> Callable[[Seen], Verdict]:
    """Claim: what one segment later is known is no longer known beyond the cache."""

    def verdict(seen: Seen) -> Verdict:
        given, reset = seen.lines(FAR), seen.lines(FAR, "reset")
        known = {kind: recall.reach(given, reset, kind) for kind in kinds if kind in given and kind in reset}
        known = {kind: x for kind, x in known.items() if x}  # what never learned it has nothing to forget
        if not known:
            return UNKNOWN, "none of them knew the fact"
        measured = {kind: max(given[kind]) for kind in known}
        told = ", ".join(f"{name(kind)} up to {x}" for kind, x in known.items())
        return HOLDS if all(x < measured[kind] for kind, x in known.items()) else NOT, f"segments later known: {told}"

    return verdict


def _reaches(kind: str, least: int) -> Callable[[Seen], Verdict]:
    """Claim: a fact is still known so many segments later."""

    def verdict(seen: Seen) -> Verdict:
        given, reset = seen.lines(FAR), seen.lines(FAR, "reset")
        if kind not in given or kind not in reset:
            return UNKNOWN, ""
        x = recall.reach(given, reset, kind)
        share = f" ({percent(given[kind][x].y)})" if x else ""
        return HOLDS if x >= least else NOT, f"{name(kind)} above its control up to {x:,} segments later{share}"

    return verdict


def _needs_query(kind: str) -> Callable[[Seen], Verdict]:
    """Claim: fewer facts are given back where nothing tells in advance what will be asked."""
    words = f"{name(kind)}, of 16 facts: {{}} where the keys stand before, {{}} where not"
    return lambda seen: more(seen.at(kind, FACTS, 16), seen.at(kind, FACTS, 16, "unannounced"), words)


def _grows(kind: str, does: bool) -> Callable[[Seen], Verdict]:
    """Claim: the memory grows with the text, or does not."""

    def verdict(seen: Seen) -> Verdict:
        sizes = {
            row.x: row.numbers for row in seen.rows if (row.mechanism, row.experiment) == (kind, FAR) and row.numbers
        }
        if len(sizes) < 2:
            return UNKNOWN, ""
        first, last = min(sizes), max(sizes)
        told = f"{name(kind)}: {sizes[first]:,} numbers after {first} segment, {sizes[last]:,} after {last:,}"
        return HOLDS if (sizes[last] > sizes[first]) == does else NOT, told

    return verdict


def _stretched(reads: str, against: str, tuned: bool, lower: bool) -> Callable[[Seen], Verdict]:
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


def _needs_none(kind: str) -> Callable[[Seen], Verdict]:
    opposite = {HOLDS: NOT, OPEN: HOLDS, NOT: HOLDS, UNKNOWN: UNKNOWN}
    return lambda seen: (opposite[_needs_query(kind)(seen)[0]], _needs_query(kind)(seen)[1])


def _knows(kind: str) -> Callable[[Seen], Verdict]:
    """Claim: facts are given back, against the control without memory."""

    def verdict(seen: Seen) -> Verdict:
        words = f"{name(kind)}, of 16 facts: {{}}, with its memory reset {{}}"
        found, told = more(seen.at(kind, FACTS), seen.at(kind, FACTS, control="reset"), words)
        one = seen.at(kind, FACTS, 1)
        return found, f"{told}; of one: {percent(one.y)}" if told and one else told

    return verdict


STRETCHED = "python -m benchmarks.stretched assets/checkpoints/lm-context --times 2 4 --steps 12 --json"
CLAIMS = (
    Claim("A summary of one size loses specific tokens as there are more", "Landmark (2305.16300)",
          _loses_quotations),
    Claim("A landmark for each block gives specific tokens back", "Landmark (2305.16300)",
          _better("landmark", "rmt", QUOTATION, "of 16 quoted tokens")),
    Claim("Nearest neighbours among old keys give specific tokens back", "Memorizing Transformer (2203.08913)",
          _better("memorizing", "rmt", QUOTATION, "of 16 quoted tokens")),
    Claim("What left the cache is lost", "Compressive Transformer (1911.05507), of Transformer-XL",
          _forgets("context", "transformer-xl", "ernie-doc", "feedback", "compressive")),
    Claim("What is stored is found however long ago", "Landmark (2305.16300)", _reaches("landmark", 100)),
    Claim("A passage that fits is found however long ago", "In-context retrieval (2302.00083)", _reaches("bm25", 1000)),
    Claim("A retriever needs the right query", "In-context retrieval (2302.00083)", _needs_query("bm25")),
    Claim("Attention in place of a retriever needs no query in advance", "Memorizing Transformer (2203.08913)",
          _needs_none("memorizing")),
    Claim("A store keeps growing with the text", "RMT (2207.06881), of caches", _grows("bm25", True)),
    Claim("Memory tokens do not grow with the text", "RMT (2207.06881)", _grows("rmt", False)),
    Claim("Summaries that accumulate hold more than one that is rewritten", "AutoCompressor (2305.14788)",
          _better("autocompressor", "rmt", FACTS, "of 16 facts")),
    Claim("A matrix in each layer holds more than memory tokens", "ARMT (2407.04841)",
          _better("armt", "rmt", FACTS, "of 16 facts")),
    Claim("A state space copies less than attention over the text", "Repeat after me (2402.01032)",
          _better("context", "mamba", QUOTATION, "of 16 quoted tokens")),
    Claim("Linear attention recalls less than softmax attention", "Zoology (2312.04927)",
          _better("context", "linear-attention", FACTS, "of 16 facts")),
    Claim("A store of states gives facts back without any training of it", "kNN-LM (1911.00172)",
          _knows("knn-lm")),
    Claim("Plain positions fail beyond the trained length", "Position Interpolation (2306.15595)",
          _stretched(EXTRAPOLATION, WINDOW, tuned=False, lower=False), STRETCHED),
    Claim("Interpolated positions beat plain ones there", "Position Interpolation (2306.15595)",
          _stretched(INTERPOLATION, EXTRAPOLATION, tuned=False, lower=True), STRETCHED),
    Claim("After a short tuning they still do", "Position Interpolation (2306.15595)",
          _stretched(INTERPOLATION, EXTRAPOLATION, tuned=True, lower=True), STRETCHED),
    Claim("Then the longer text lowers the loss", "Position Interpolation (2306.15595)",
          _stretched(INTERPOLATION, WINDOW, tuned=True, lower=True), STRETCHED),
)  # fmt: skip


def finding(seen: Seen) -> str:
    """A sentence on how many of the claims were seen here."""
    verdicts = [claim.held_against(seen)[0] for claim in CLAIMS]
    count = {verdict: verdicts.count(verdict) for verdict in (HOLDS, NOT, OPEN, UNKNOWN)}
    rest = ", ".join(f"{n} {verdict}" for verdict, n in count.items() if n and verdict != HOLDS)
    return f"{count[HOLDS]} of {len(CLAIMS)} claims about mechanisms were seen here{f' ({rest})' if rest else ''}"


def table(seen: Seen) -> dict[str, list[str]]:
    """Columns of the claims: what is said, by whom, the verdict, what was seen, and the command."""
    verdicts = [claim.held_against(seen) for claim in CLAIMS]
    return {
        "what is said": [claim.says for claim in CLAIMS],
        "here": [verdict for verdict, _ in verdicts],
        "what was seen": [told for _, told in verdicts],
        "by": [claim.source for claim in CLAIMS],
        "command": [claim.command for claim in CLAIMS],
    }
