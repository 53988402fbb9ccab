"""Why a run gave its answer, as JSON values: `rmt.causes.attribute` applied to a recorded run."""

import numpy as np
from torch import Tensor

from rmt.causes.attribute import MOST_STEPS, by_segment, by_slot, by_token, local_and_memory, output_of
from rmt.causes.facts import find_facts, ledger, slots_of
from rmt.causes.samples import ReadFresh, at_moment, baseline, read_fresh
from rmt.intervene import Progress, Reading, recalled
from rmt.model import Model
from rmt.model.provenance import made_by
from rmt.trace import Trace


def why(
    model: Model,
    trace: Trace,
    *,
    choice: int | None = None,
    tokens: bool = True,
    most_steps: int = MOST_STEPS,
    runs: ReadFresh = read_fresh,
    progress: Progress | None = None,
) -> dict:
    """Attribute the output of a recorded run to segments, slots, tokens, memory and local text.

    Slots and memory are compared with the baseline of `rmt.causes.samples.baseline`, as in What if and Facts;
    "baseline_memory" names it. "blank": a classifier's answer to the last segment with that memory, and its
    probability.

    choice: as in `rmt.causes.attribute.output_of`. tokens: compute integrated gradients, too, by far the slowest part.
    runs: reads fresh runs of the task, see `rmt.causes.samples.FreshRuns`. progress(done, total) counts the gradients'
    steps. Raises InputError for another model's run.
    """
    reading = recalled(model, trace)
    output = output_of(model, reading, choice)
    to, means = baseline(model, trace.n_segments, runs=runs, progress=progress and (lambda *_: progress(0, most_steps)))
    usual = at_moment(means, trace.n_segments - 1)
    local, memory = local_and_memory(model, reading, to=usual)
    result = {
        "made_by": made_by(model),
        "control": trace.meta["control"] or "none",
        "output": trace.classes[output.token] if trace.classes else f"token {output.token}",
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
    if tokens:
        gradients = by_token(model, reading, output, most_steps=most_steps, progress=progress)
        result["tokens"] = _rounded(gradients.values)
        result |= {
            "value": gradients.output,
            "baseline": gradients.baseline,
            "gap": gradients.gap,
            "steps": gradients.steps,
        }
    return result


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
