"""Paths of causes of a recorded run as JSON values: of the fact that the answer depends on, or of any tokens of it."""

from collections.abc import Sequence

import numpy as np
import torch

from rmt.causes.exchange import Exchange, exchange, of_fact
from rmt.causes.facts import find_facts
from rmt.causes.path import Path, cut, path
from rmt.causes.without_words import until
from rmt.errors import InputError
from rmt.intervene import Progress, Reading, recalled
from rmt.intervene.edges import Edge
from rmt.model import Model
from rmt.model.unroll import unroll
from rmt.text.segments import split
from rmt.trace import Trace

DIGITS = 4


def answers_path(model: Model, trace: Trace, reading: Reading, *, progress: Progress | None = None) -> dict | None:
    """The path of the fact whose exchange lowers the probability of the run's answer most; None without one.

    "facts": each fact of the run, what it was exchanged for, and then the answer, its probability "p", and "own", that
    of the run's answer.
    """
    if model.backbone.head != "classify" or reading.probabilities is None or model.about.answers != "one":
        return None
    mine = int(reading.probabilities[0].argmax())
    facts = [of_fact(model, trace, fact) for fact in find_facts(trace.tokens, trace.classes, trace.meta["task"])]
    after = [answer_with(model, reading, one) for one in facts]
    told = [
        {**_tokens(one), "answer": trace.classes[int(p.argmax())], "p": _round(p.max()), "own": _round(p[mine])}
        for one, p in zip(facts, after, strict=True)
    ]
    for i in sorted(range(len(facts)), key=lambda i: float(after[i][mine])):
        try:
            return {**_values(path(model, reading, facts[i], progress=progress), trace), "facts": told}
        except InputError:  # in the last segment, or no slots
            continue
    return None


def path_from(
    model: Model, trace: Trace, start: int, end: int, *, token: int | None = None, progress: Progress | None = None
) -> dict:
    """The path from tokens start to end of a recorded run to its answer, or to a token of a language model's document.

    Raises InputError where there is none.
    """
    reading, one, choice = _wanted(model, trace, start, end, token)
    return _values(path(model, reading, one, choice=choice, progress=progress), trace)


def cut_together(
    model: Model, trace: Trace, start: int, end: int, edges: Sequence[Edge], *, token: int | None = None
) -> dict:
    """What the answer is when these edges of a path are cut together, and the same with memory reset.

    {"cut", "reset": P of the run's answer and of the exchanged run's}. Raises InputError for an edge that is not there.
    """
    reading, one, choice = _wanted(model, trace, start, end, token)
    found, reset = cut(model, reading, one, edges, choice=choice)
    return {"cut": _round(found), "reset": _round(reset)}


@torch.inference_mode()
def answer_with(model: Model, reading: Reading, one: Exchange) -> np.ndarray:
    """Answer probabilities (C,) of the run with its tokens exchanged."""
    ids = reading.ids.clone()
    ids[0, one.start : one.end] = torch.tensor(one.ids, device=ids.device)
    first = int(np.searchsorted(reading.starts, one.start, side="right")) - 1
    before = (lambda i, state: model.cell.initial(1)) if reading.standing else None
    segments = split(ids, reading.segment_length, alignment=model.alignment)[first:]
    for _, step, _ in unroll(model.cell, model.backbone, segments, state=reading.states[first], before=before):  # noqa: B007
        pass
    return model.shares(step.logits)[0].double().cpu().numpy()


def _wanted(model: Model, trace: Trace, start: int, end: int, token: int | None):
    """The reading, the exchange and the position of the output."""
    reading, choice = recalled(model, trace), None
    if model.backbone.head == "lm":
        reading, output = until(reading, len(trace.arrays["ids"]) - 1 if token is None else token)
        choice = output.at
    facts = find_facts(trace.tokens, trace.classes, trace.meta["task"]) if trace.classes else []
    fact = next((fact for fact in facts if (fact.start, fact.end) == (start, end)), None)
    return reading, of_fact(model, trace, fact) if fact else exchange(model, trace, start, end), choice


def _tokens(one: Exchange) -> dict:
    """Where an exchange is and what it says."""
    return {"start": one.start, "end": one.end, "text": "".join(one.texts).strip(), "exchanged": one.told}


def _values(found: Path, trace: Trace) -> dict:
    """A path as JSON values; probabilities come in pairs of the run's answer and the exchanged run's."""
    one = found.exchange
    words = [{"text": text, "other": other} for text, other in zip(one.texts, one.others, strict=True)]
    return {
        **_tokens(one),
        "words": words,
        "output": _name(trace, found.output, one),
        "other": _name(trace, found.other, one),
        "moments": list(found.moments),
        "p": [_round(found.as_it_is), _round(found.exchanged)],
        "odds": _round(found.odds),
        "slots": _round(found.slots),
        "edges": list(found.edges),
        "into": _round(found.into),
        "carry": _round(found.carry),
        "read": _round(found.read),
        "p_into": _round(found.p_into),
        "p_carry": _round(found.p_carry),
        "p_read": _round(found.p_read),
        "reset": _round(found.reset),
    }


def _name(trace: Trace, output: int, one: Exchange) -> str:
    """A class, or a token as the document or the exchange has it."""
    if trace.classes:
        return trace.classes[output]
    if output in one.each:
        return one.others[one.each.index(output)].strip()
    where = np.flatnonzero(np.asarray(trace.arrays["ids"][:]) == output)
    return trace.token_texts(int(where[0]), int(where[0]) + 1)[0].strip() if len(where) else f"token {output}"


def _round(values) -> list | float:
    return np.round(np.asarray(values, np.float64), DIGITS).tolist()
