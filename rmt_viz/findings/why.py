"""What the figures of Why show, as a sentence each and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.viewer.slices import Run

LOGIT = 0.5  # a part of a logit worth a word


def why(found: dict, run: Run) -> str:
    """To what the output is owed."""
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
    """One row for each segment."""
    return {"segment": range(1, len(found["segments"]) + 1), "part of the logit": found["segments"]}


def tokens_table(found: dict, run: Run) -> dict[str, Sequence]:
    """One row for each token."""
    starts = run.trace.arrays["starts"]
    of = np.searchsorted(starts, np.arange(len(found["tokens"])), side="right")
    return {"segment": of, "token": run.trace.tokens, "part of the logit": found["tokens"]}


def local(found: dict) -> str:
    """Memory against the local text, of a classifier."""
    if not found["classes"]:
        gain = np.array(found["memory"])
        return f"Memory changes the log probability of a token of the last segment by {gain.mean():+.2f} on average"
    i = found["classes"].index(found["output"])
    alone = found["classes"][int(np.argmax(found["local"]))]
    return f"Memory adds {found['memory'][i]:+.1f} to {found['output']}; the last segment alone would say {alone}"


def local_table(found: dict) -> dict[str, Sequence]:
    """One row for each class, or token of the last segment."""
    names = found["classes"] or range(1, len(found["local"]) + 1)
    return {"of": list(names), "last segment alone": found["local"], "memory adds": found["memory"]}


def by_slot(found: dict) -> str:
    """What single slots carry of the output before the last segment."""
    values = np.array(found["slots"])
    if not len(values) or np.abs(values).max() < LOGIT:
        most = np.abs(values).max() if len(values) else 0.0
        return f"No slot alone carries it: resetting one changes the logit by {most:.2f} at most"
    i = int(np.abs(values).argmax())
    return f"Slot {i + 1} carries most: resetting it lowers the logit by {values[i]:.2f}"


def by_slot_table(found: dict) -> dict[str, Sequence]:
    """One row for each slot."""
    return {"slot": range(1, len(found["slots"]) + 1), "part of the logit": found["slots"]}
