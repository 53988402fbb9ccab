"""The sentence about what happens in a segment: parts of text, never markup.

A part is {"kind", "text"}: "text" plain, "strong" emphasised, "token" a word of the document, "quote" several.
"""

import numpy as np

from rmt import tasks
from rmt.measure import KNOWN, Followed, Measures, answer_class, question_of
from rmt.tasks import TASKS
from rmt.tasks.babi_words import NEVER
from rmt.trace import SegmentRecord, Trace

SOURCES = {"live": "Live run", "recorded": "Recorded", "uploaded": "Uploaded"}
VERBS = {"write": "writes", "append": "adds", "update": "replaces", "keep": "keeps", "read": "reads"}
VERBS |= {"change": "moves", "still": "leaves", "look": "looks at"}  # where nothing is asked
LOST = 0.3  # fall of P(answer) that is mentioned
PEAK = 2.0  # attention on a token, over the segment's median, from which on the token is named
QUIET = 1.5
ALIKE, COPIES = 0.9, 0.98
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def sentence(trace: Trace, measures: Measures, record: SegmentRecord, who: str | None = None) -> list[dict]:
    """Write the sentence about a segment, as parts.

    who: about whom, where several can be asked for; by default whom the text asks about, or else the first.
    """
    s, moved, followed = record.index, measures.slot_mean, measures.who(who)
    beats = followed.beats if followed else measures.beats
    knows = followed.knows if followed else measures.knows
    beat = next((b.kind for b in beats if b.segment == s), None)
    parts = [_part(f"Segment {s + 1} of {trace.n_segments} ")]
    if beat in ("write", "update") and followed:
        was, now = (trace.classes[followed.answer[moment]] for moment in (s, s + 1))
        new = beat == "write" or was == NEVER
        what = f" {_wanted(followed)}: " if new else f" {was} with {now} for {followed.name}: "
        parts += [
            _part(VERBS["write" if new else beat], "strong"),
            _part(f"{what}memory {_looks(record)}"),
            *_peak(record),
        ]
        parts += [_part(f"{_rank(moved, s)}. ")]
    elif beat in ("write", "append"):
        fact = any(span["kind"] == "fact" for span in _inside(trace.spans, record))
        what = (" a fact" if beat == "write" else " a second fact") if fact else ""
        parts += [_part(VERBS[beat], "strong"), _part(f"{what}: memory {_looks(record)}")]
        parts += [*_peak(record), _part(f"{_rank(moved, s)}. ")]
    elif beat == "change":
        parts += [_part(VERBS[beat], "strong"), _part(f" memory far: it {_looks(record)}"), *_peak(record)]
        parts += [_part(f"{_rank(moved, s)}. ")]
    elif beat in ("keep", "still"):
        what = "what memory holds" if beat == "keep" else "memory as it is"
        share = f"{moved[s] / measures.length[s]:.0%} of its slots’ length"
        parts += [_part(VERBS[beat], "strong"), _part(f" {what}: it moves by {moved[s]:.1f}, {share}. ")]
    elif beat == "read":
        answer, p, blank = _read(trace, measures, followed, s)
        told = f"with it {answer} has {p:.2f}, with the initial memory {blank:.2f}. "
        parts += [_part(VERBS[beat], "strong"), _part(f" memory: {told}"), *_path(trace, record)]
    elif beat == "look":
        share = measures.share("read")[s]
        parts += [_part(VERBS[beat], "strong"), _part(f" memory: {share:.0%} of its tokens’ attention goes there. ")]
    elif followed and followed.answer[s] != followed.answer[s + 1] and followed.p[s] >= KNOWN:
        what = f" {trace.classes[followed.answer[s]]} for {followed.name}: memory changes by {moved[s]:.1f}. "
        parts += [_part("loses", "strong"), _part(what)]
    elif not followed and knows[s] - knows[s + 1] > LOST:
        parts += [_part("loses", "strong"), _part(f" what memory held: it changes by {moved[s]:.1f}. ")]
    elif s == 0:
        parts += [_part("leaves the initial memory", "strong"), _part(f", a change of {moved[0]:.1f}. ")]
    else:
        parts += [_part(f"{_plain_change(moved, s)}. ")]
    return parts + (_followed(trace, measures, followed, s) if followed else _asked(trace, measures, record))


def remark(measures: Measures, s: int) -> str:
    """Write the sentence about the similarity of the slots after a segment."""
    n, cosine = measures.change.shape[1], float(measures.similarity[s])
    if n < 2:
        return "There is one slot." if n else "This model has no memory."
    slots = NUMBERS[n] if n < len(NUMBERS) else str(n)
    if cosine >= COPIES:
        return f"The {slots} slots are copies here (mean cosine {cosine:.3f})."
    if cosine >= ALIKE:
        return f"The {slots} slots are much alike here (mean cosine {cosine:.2f})."
    return f"The {slots} slots differ here (mean cosine {cosine:.2f})."


def question_text(trace: Trace) -> str:
    """The text of the run's question, or ""."""
    return question_of(trace)


def title(trace: Trace) -> str:
    """The name of a run: its task, or else the beginning of its text; and its length."""
    begin = "".join(trace.token_texts(0, min(6, len(trace.arrays["ids"])))).strip()
    name = (trace.meta["task"] in TASKS and tasks.whole_title(trace.meta["task"])) or f"“{begin[:24]} …”"
    return f"{name}, {trace.n_segments} segments"


def provenance(trace: Trace, source: str) -> list[str]:
    """The origin of a run, in short lines; the first says whether it is a control."""
    made = trace.meta["made_by"]
    control = {
        "reset": "Control: memory reset before every segment",
        "untrained": "Control: weights that were never trained",
    }.get(trace.meta["control"] or "")
    lines = [control] if control else []
    lines.append(f"{SOURCES[source]} · checkpoint {made['checkpoint']}")
    lines.append(f"{_count(made['parameters'])} parameters")
    lines.append(f"{made['layers']} layers × {made['heads']} heads · {made['n_memory']} slots")
    lines.append(f"{trace.meta['segment_length']} tokens a segment")
    return [*lines, *([unknown_words(trace)] if trace.meta.get("unknown") else [])]


def unknown_words(trace: Trace) -> str:
    """Write how many tokens stand for words outside of the model's vocabulary."""
    n, total = int(trace.meta.get("unknown", 0)), len(trace.arrays["ids"])
    what = "stands for a word" if n == 1 else "stand for words"
    return f"{n} of {total} tokens {what} that the model does not know: the mark of the unknown is shown there"


def _inside(spans: list[dict], record: SegmentRecord) -> list[dict]:
    """The spans that overlap a segment."""
    return [span for span in spans if span["start"] < record.end and span["end"] > record.start]


def _looks(record: SegmentRecord) -> str:
    return "looks most at " if _peak(record) else "takes it in"


def _peak(record: SegmentRecord) -> list[dict]:
    """The word with the most attention of write memory, where it stands out."""
    weights = record.token_write
    if weights is None or not len(weights) or weights.max() < PEAK * np.median(weights):
        return []
    word = record.tokens[int(np.argmax(weights))].strip()
    return [_part(word, "token")] if any(map(str.isalnum, word)) else []


def _path(trace: Trace, record: SegmentRecord) -> list[dict]:
    """Write how much attention the answering position gives to memory."""
    if record.answer_read is None:
        return []
    where = "The last position" if trace.meta["causal"] else "[CLS]"
    share = float(np.asarray(record.answer_read, np.float32).sum(-1).mean())
    return [_part(f"{where}, where the answer is made, gives memory {share:.0%} of its attention. ")]


def _wanted(followed: Followed) -> str:
    """What is known once a question is answered: "where the milk is", "what is north of the garden"."""
    question = followed.question.rstrip("?")
    if question.startswith("Where is "):
        return f"where {question.removeprefix('Where is ')} is"
    return question[:1].lower() + question[1:]


def _rank(moved: np.ndarray, s: int) -> str:
    others = np.delete(moved, s)
    if len(others) and moved[s] > others.max():
        return f" and changes more than at any other step ({moved[s]:.1f})"
    if s and len(others) > 1 and moved[s] > np.delete(moved[1:], s - 1).max():
        return f" and changes more than at any step but the first ({moved[s]:.1f})"
    return f" and changes by {moved[s]:.1f}"


def _plain_change(moved: np.ndarray, s: int) -> str:
    if moved[s] == 0:  # which only a memory with gates does
        return "leaves memory as it was"
    usual = float(np.median(moved[1:]))
    if usual == 0:
        return f"changes memory by {moved[s]:.1f}; most segments leave it as it was"
    if moved[s] > QUIET * usual:
        return f"changes memory by {moved[s]:.1f}, more than the usual {usual:.1f}"
    return f"changes memory little, by {moved[s]:.1f}; {usual:.1f} is usual in this run"


def _asked(trace: Trace, measures: Measures, record: SegmentRecord) -> list[dict]:
    """Write what the model would answer now, and how that differs from one segment earlier."""
    asked, question = record.asked, question_text(trace)
    if asked is None or not len(asked) or not np.isfinite(asked).all():
        loss = measures.loss[record.index]
        return [_part(f"Mean loss {loss:.2f}.")] if np.isfinite(loss) else []
    now, truth = int(np.argmax(asked)), answer_class(trace)
    before = trace.arrays["asked"][record.index]
    sure = "it answers " if asked[now] >= KNOWN else "it cannot tell: at most "
    parts = [_part("Asked now “"), _part(question, "quote"), _part(f"”, {sure}"), _part(trace.classes[now], "strong")]
    parts.append(_part(f" with {asked[now]:.2f}"))
    if trace.meta["label"] is not None and now != truth and asked[now] >= KNOWN:
        parts.append(_part(f", which is wrong (it is {trace.classes[truth]})"))
    if abs(asked[now] - before[now]) >= LOST:
        earlier = "one segment earlier" if record.index else "before the first segment"
        parts.append(_part(f"; {earlier}, {before[now]:.2f}"))
    return [*parts, _part(".")]


def _read(trace: Trace, measures: Measures, followed: Followed | None, s: int) -> tuple[str, float, float]:
    """The answer that is read from memory in segment s, its probability, and that by the initial memory."""
    if followed is None:
        return trace.classes[answer_class(trace)], float(measures.knows[s]), float(measures.knows[0])
    answer, q = int(followed.answer[s]), measures.followed.index(followed)
    return trace.classes[answer], float(followed.p[s]), float(trace.arrays["asked_each"][0, q, answer])


def _followed(trace: Trace, measures: Measures, followed: Followed, s: int) -> list[dict]:
    """What the model would answer now about one of several, whether that is right, and how many of all are."""
    now, p, truth = int(followed.answer[s + 1]), float(followed.p[s + 1]), int(followed.truth[s + 1])
    sure = "it answers " if p >= KNOWN else "it cannot tell: at most "
    parts = [_part("Asked now “"), _part(followed.question, "quote"), _part(f"”, {sure}")]
    parts += [_part(trace.classes[now], "strong"), _part(f" with {p:.2f}")]
    if 0 <= truth != now and p >= KNOWN:
        parts.append(_part(f", which is wrong (it is {trace.classes[truth]})"))
    right = [one.right[s + 1] for one in measures.followed]
    known = [value for value in right if np.isfinite(value)]
    if known:
        of = NUMBERS[len(known)] if len(known) < len(NUMBERS) else str(len(known))
        n = int(sum(known))
        count = ("none" if n == 0 else NUMBERS[n] if n < len(NUMBERS) else str(n)).capitalize()
        told = f"All {of} are" if n == len(known) else f"{count} of {of} {'is' if n < 2 else 'are'}"
        parts.append(_part(f". {told} right now"))
    return [*parts, _part(".")]


def _count(n: int) -> str:
    return f"{n / 1e6:.1f} M" if n >= 1e6 else f"{n / 1e3:.0f} k" if n >= 1e3 else str(n)


def _part(text: str, kind: str = "text") -> dict:
    return {"kind": kind, "text": text}
