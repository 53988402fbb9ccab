"""Those that can be asked for at any moment, people as a rule, as the stepping surface takes them.

Letters as in `rmt.trace`: S segments, Q questions, C classes; B bins of the spine.
"""

import re
from collections.abc import Iterable, Mapping

import numpy as np

from rmt.measure import Measures, pool
from rmt.measure.beats import Beat
from rmt.trace import Trace


def beats(found: Iterable[Beat]) -> list[dict]:
    """Beats as the surface takes them."""
    return [{"kind": b.kind, "segment": b.segment, "from": b.made_from} for b in found]


def told(run, controls: Mapping) -> list[dict]:
    """What is said of each of them over the whole run.

    score: after how many segments it is answered right, of those after which the text had told of it; controls: the
    same of the runs of controls over the same text.
    """
    others = {name: {one.name: one.score() for one in other.measures.followed} for name, other in controls.items()}
    return [
        {
            "name": one.name,
            "question": one.question,
            "beats": beats(one.beats),
            "score": one.score(),
            "controls": {name: scores[one.name] for name, scores in others.items() if one.name in scores},
        }
        for one in run.measures.followed
    ]


def rows(measures: Measures, at: np.ndarray) -> dict[str, np.ndarray]:
    """Rows of the spine, (Q, B).

    who_answer and who_p: the answer at the end of each bin and its probability there. who_wrong: the share of its
    segments after which the answer was wrong, nan where no right one is known; who_knows: mean probability of the right
    one. at: where bins begin and the last one ends, in segments.
    """
    if not measures.followed:
        return {}
    last = at[1:]  # moments are one more than segments: what is known after the last segment of a bin
    return {
        "who_answer": np.stack([one.answer[last] for one in measures.followed]),
        "who_p": np.stack([one.p[last] for one in measures.followed]),
        "who_wrong": np.stack([pool(1 - one.right[1:], at)[1] for one in measures.followed]),
        "who_knows": np.stack([pool(one.knows[1:], at)[1] for one in measures.followed]),
    }


def moment(run, index: int) -> dict[str, np.ndarray]:
    """Answers about all of them before a segment and after it, (Q, C), and what is right after it, (Q,)."""
    arrays = run.trace.arrays
    names = {"each_before": arrays["asked_each"][index], "each": arrays["asked_each"][index + 1]}
    return {**names, "truth_before": arrays["truths"][index], "truth": arrays["truths"][index + 1]}


def owned(trace: Trace) -> list[dict]:
    """The spans of a run; of a fact about one of them also whose it is, as "who", counted from 0."""
    names = [question["name"] for question in trace.questions]
    if not names:
        return trace.spans
    return [{**span, **_who(trace, span, names)} for span in trace.spans]


def _who(trace: Trace, span: dict, names: list[str]) -> dict:
    text = "".join(trace.token_texts(span["start"], span["end"])) if span["kind"] in ("fact", "question") else ""
    found = [i for i, name in enumerate(names) if re.search(rf"\b{re.escape(name)}\b", text)]
    return {"who": found[0]} if found else {}
