"""Findings of Why: what each figure shows, as a sentence and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.viewer.slices import Run

LOGIT = 0.5  # a part of a logit worth a word


def why(found: dict, run: Run) -> str:
    """A sentence on the segment that the output is owed to."""
    earlier = np.array(found["segments"][:-1])
    if not len(earlier) or np.abs(earlier).max() < LOGIT:
        local = f"the last segment alone gives {found['segments'][-1]:.2f}"
        return f"{found['output']} is owed to no earlier segment: {local}"
    s = int(np.abs(earlier).argmax())
    told = f"{found['output']} is owed to segment {s + 1}: without it, its logit is {earlier[s]:.1f} lower"
    if found.get("tokens"):
        values = np.array(found["tokens"])
        first = int(np.abs(values).argmax())
        word = run.trace.token_texts(first, first + 1)[0].strip()
        told += f"; the token “{word}” carries {values[first]:.1f} of {found['value'] - found['baseline']:.1f}"
    return told


def why_table(found: dict) -> dict[str, Sequence]:
    """Columns of the figure by segment: what the logit loses without each."""
    return {"segment": range(1, len(found["segments"]) + 1), "part of the logit": found["segments"]}


def tokens_table(found: dict, run: Run) -> dict[str, Sequence]:
    """Columns of the integrated gradients: a row for each token."""
    starts = run.trace.arrays["starts"]
    of = np.searchsorted(starts, np.arange(len(found["tokens"])), side="right")
    return {"segment": of, "token": run.trace.tokens, "part of the logit": found["tokens"]}


def local(found: dict) -> str:
    """A sentence on what memory adds to the output that the local text gives."""
    if not found["classes"]:
        gain = np.array(found["memory"])
        return f"Memory changes the log probability of a token of the last segment by {gain.mean():+.2f} on average"
    i = found["classes"].index(found["output"])
    alone = found["classes"][int(np.argmax(found["local"]))]
    return f"Memory adds {found['memory'][i]:+.1f} to {found['output']}; without what is its own it would say {alone}"


def base(found: dict) -> str:
    """The value that memory takes where it is ablated, in words."""
    return "its mean over runs with other facts" if found.get("baseline_memory") == "mean" else "its initial value"


def local_table(found: dict) -> dict[str, Sequence]:
    """Columns of memory against local text: a row for each class, or token of the last segment."""
    names = found["classes"] or range(1, len(found["local"]) + 1)
    return {"of": list(names), "without memory of its own": found["local"], "memory adds": found["memory"]}


def by_slot(found: dict) -> str:
    """A sentence on the slot without which the logit falls most."""
    values = np.array(found["slots"])
    if not len(values) or np.abs(values).max() < LOGIT:
        most = np.abs(values).max() if len(values) else 0.0
        return f"No slot alone carries it: taking one away changes the logit by {most:.2f} at most"
    i = int(np.abs(values).argmax())
    return f"Slot {i + 1} carries most: taking it away lowers the logit by {values[i]:.2f}"


def by_slot_table(found: dict) -> dict[str, Sequence]:
    """Columns of the figure by slot: what the logit loses without each."""
    return {"slot": range(1, len(found["slots"]) + 1), "part of the logit": found["slots"]}
