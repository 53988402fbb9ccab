"""Findings of Why: what each figure shows, as a sentence and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.viewer.slices import Run

LOGIT = 0.5  # a part of a logit worth a word


def why(explanation: dict, run: Run) -> str:
    """A sentence on the segment that the output depends on most."""
    earlier = np.array(explanation["segments"][:-1])
    if not len(earlier) or np.abs(earlier).max() < LOGIT:
        local = f"the last segment alone gives {explanation['segments'][-1]:.2f}"
        return f"{explanation['output']} depends on no earlier segment: {local}"
    s = int(np.abs(earlier).argmax())
    sentence = (
        f"{explanation['output']} depends most on segment {s + 1}: without it, its logit is {earlier[s]:.1f} lower"
    )
    if explanation.get("tokens"):
        values = np.array(explanation["tokens"])
        first = int(np.abs(values).argmax())
        word = run.trace.token_texts(first, first + 1)[0].strip()
        sentence += (
            f"; the token “{word}” carries {values[first]:.1f} of {explanation['value'] - explanation['baseline']:.1f}"
        )
    return sentence


def why_table(explanation: dict) -> dict[str, Sequence]:
    """Columns of the figure by segment: what the logit loses without each."""
    return {"segment": range(1, len(explanation["segments"]) + 1), "part of the logit": explanation["segments"]}


def tokens_table(explanation: dict, run: Run) -> dict[str, Sequence]:
    """Columns of the integrated gradients: a row for each token."""
    starts = run.trace.arrays["starts"]
    of = np.searchsorted(starts, np.arange(len(explanation["tokens"])), side="right")
    return {"segment": of, "token": run.trace.tokens, "part of the logit": explanation["tokens"]}


def local(explanation: dict) -> str:
    """A sentence on what memory adds to the output that the local text gives."""
    if not explanation["classes"]:
        gain = np.array(explanation["memory"])
        return f"Memory changes the log probability of a token of the last segment by {gain.mean():+.2f} on average"
    i = explanation["classes"].index(explanation["output"])
    alone = explanation["classes"][int(np.argmax(explanation["local"]))]
    added, output = explanation["memory"][i], explanation["output"]
    return f"Memory adds {added:+.1f} to {output}; without what is its own it would say {alone}"


def base(explanation: dict) -> str:
    """The value that memory takes where it is ablated, in words."""
    return (
        "its mean over runs with other facts" if explanation.get("baseline_memory") == "mean" else "its initial value"
    )


def local_table(explanation: dict) -> dict[str, Sequence]:
    """Columns of memory against local text: a row for each class, or token of the last segment."""
    names = explanation["classes"] or range(1, len(explanation["local"]) + 1)
    return {"of": list(names), "without memory of its own": explanation["local"], "memory adds": explanation["memory"]}


def by_slot(explanation: dict) -> str:
    """A sentence on the slot without which the logit falls most."""
    values = np.array(explanation["slots"])
    if not len(values) or np.abs(values).max() < LOGIT:
        most = np.abs(values).max() if len(values) else 0.0
        return f"No slot alone carries it: taking one away changes the logit by {most:.2f} at most"
    i = int(np.abs(values).argmax())
    return f"Slot {i + 1} carries most: taking it away lowers the logit by {values[i]:.2f}"


def by_slot_table(explanation: dict) -> dict[str, Sequence]:
    """Columns of the figure by slot: what the logit loses without each."""
    return {"slot": range(1, len(explanation["slots"]) + 1), "part of the logit": explanation["slots"]}
