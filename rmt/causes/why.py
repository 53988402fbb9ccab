"""Why a run gave its answer, as JSON values: `rmt.causes.attribute` applied to a recorded run."""

import numpy as np
from torch import Tensor

from rmt.causes.attribute import MOST_STEPS, Output, by_segment, by_slot, by_token, local_and_memory, output_of
from rmt.causes.facts import find_facts, ledger, slots_of
from rmt.causes.paths import answers_path
from rmt.causes.samples import ReadFresh, at_moment, baseline, read_fresh
from rmt.causes.without_words import until, without_words
from rmt.intervene import Progress, Reading, recalled
from rmt.model import Model
from rmt.model.provenance import made_by
from rmt.trace import Trace

SHOWN, SKIPPED = 4, 2  # segments whose tokens are taken away one by one, by two measures of what counts


def why(
    model: Model,
    trace: Trace,
    *,
    choice: int | None = None,
    token: int | None = None,
    tokens: bool = True,
    most_steps: int = MOST_STEPS,
    runs: ReadFresh = read_fresh,
    progress: Progress | None = None,
) -> dict:
    """Attribute the output of a recorded run to segments, slots, tokens, memory and local text.

    Slots and memory are compared with the baseline of `rmt.causes.samples.baseline`, as in What if and Facts;
    "baseline_memory" names it. "blank": a classifier's answer to the last segment with that memory, and its
    probability.

    choice: as in `rmt.causes.attribute.output_of`. token: explain this token of a language model's document instead;
    the run up to there is looked at. tokens: compute integrated gradients, too, by far the slowest part, and what the
    output loses without single tokens of the segments that count most: "without", None for the others.
    "path": the path of the fact that the answer depends on most (`rmt.causes.paths`), None where there is none.
    runs: reads fresh runs of the task, see `rmt.causes.samples.FreshRuns`. progress(done, total) counts the gradients'
    steps. Raises InputError for another model's run.
    """
    reading = recalled(model, trace)
    if token is not None and model.backbone.head == "lm":
        reading, output = until(reading, token)
    else:
        output = output_of(model, reading, choice)
    to, means = baseline(model, trace.n_segments, runs=runs, progress=progress and (lambda *_: progress(0, most_steps)))
    usual = at_moment(means, trace.n_segments - 1)
    local, memory = local_and_memory(model, reading, to=usual)
    result = {
        "made_by": made_by(model),
        "control": trace.meta["control"] or "none",
        "output": trace.classes[output.token] if trace.classes else word(trace, reading, output),
        "choice": output.token if output.at is None else output.at,
        "segments": _rounded(by_segment(model, reading, output)),
        "slots": _rounded(by_slot(model, reading, output, to=usual)),
        "baseline_memory": to,
        "blank": _answer(trace.classes, local),
        "classes": trace.classes,
        "local": _rounded(local),
        "memory": _rounded(memory),
        "facts": facts(model, trace, reading, usual),
    }
    result["path"] = answers_path(model, trace, reading, progress=progress)
    if tokens:
        gradients = by_token(model, reading, output, most_steps=most_steps, progress=progress)
        result["tokens"] = _rounded(gradients.values)
        result |= {
            "value": gradients.output,
            "baseline": gradients.baseline,
            "gap": gradients.gap,
            "steps": gradients.steps,
        }
        told = counting(reading, gradients.values, np.array(result["segments"]))
        values: list[float | None] = [None] * len(gradients.values)
        for position, fall in zip(told, without_words(model, reading, output, told), strict=True):
            values[position] = round(float(fall), 4)
        result["without"] = values
    return result


def counting(reading: Reading, gradients: np.ndarray, segments: np.ndarray) -> list[int]:
    """The tokens of the segments that count most: SHOWN by gradients, and SKIPPED by what is lost without them."""
    starts = reading.starts
    size = np.add.reduceat(np.abs(gradients), starts[:-1])
    most = {*np.argsort(-size, kind="stable")[:SHOWN].tolist()}
    most |= {*np.argsort(-np.abs(segments[:-1]), kind="stable")[:SKIPPED].tolist()}
    return [position for s in sorted(most) for position in range(starts[s], starts[s + 1])]


def word(trace: Trace, reading: Reading, output: Output) -> str:
    """The token that a language model's output is of, as the text has it."""
    position = reading.starts[-2] + output.at + 1
    return f"“{trace.token_texts(position, position + 1)[0].strip() or '␣'}”"


def _answer(classes: list[str], logits: np.ndarray) -> list | None:
    """The most likely class under these logits, and its probability."""
    if not classes:
        return None
    shares = np.exp(logits - logits.max(), dtype=np.float64)
    best = int(np.argmax(logits))
    return [classes[best], round(float(shares[best] / shares.sum()), 4)]


def facts(model: Model, trace: Trace, reading: Reading, usual: Tensor) -> list[dict]:
    """Each fact of a run that a question can ask for: P(answer) at every moment, and its fall without a slot.

    "until": the end of a later fact that answers its question anew, or None. "p" (S + 1,); "slots" (M + 1,): ablated
    before the last segment to `usual` (M, D'), the last entry for all slots.
    """
    if model.backbone.head != "classify" or model.tokenizer is None:
        return []
    found_facts = find_facts(trace.tokens, trace.classes, trace.meta["task"])
    return [
        {
            "text": fact.text,
            "start": fact.start,
            "end": fact.end,
            "question": fact.question,
            "answer": trace.classes[fact.answer],
            "until": fact.until,
            "p": _rounded(row),
            "slots": _rounded(slots_of(model, reading.states[-2], fact, usual)),
        }
        for fact, row in zip(found_facts, ledger(model, reading, found_facts), strict=True)
    ]


def _rounded(values: np.ndarray) -> list:
    return np.round(np.asarray(values, np.float64), 4).tolist()
