"""Findings of Why: what each figure shows, as a sentence and as columns."""

from collections.abc import Sequence

import numpy as np

from rmt.viewer.slices import Run

LOGIT = 0.5  # a part of a logit worth a word
ALIKE = 0.25  # of two measures of one token the smaller is at least this part of the larger, else they contradict


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
    """Columns of the words: a row for each token, by integrated gradients and, where it was read so, without it."""
    n, starts = len(explanation["tokens"]), run.trace.arrays["starts"]
    table = {
        "segment": np.searchsorted(starts, np.arange(n), side="right"),
        "token": run.trace.token_texts(0, n),
        "part of the logit": explanation["tokens"],
    }
    if measured := explanation.get("without"):
        table["lost without it"] = np.array([np.nan if value is None else value for value in measured])
    return table


def contradicts(gradient: float, without: float | None) -> bool:
    """Whether a token's credit by gradient says something else than what the output loses without the token.

    One of them is a part worth a word, and the other has the other sign or is not a quarter of it.
    """
    if without is None:
        return False
    large, small = sorted((gradient, without), key=abs, reverse=True)
    return abs(large) >= LOGIT and (large * small < 0 or abs(small) < ALIKE * abs(large))


def disagreement(explanation: dict) -> str:
    """A sentence on how many tokens are marked, because reading on without them says something else; "" untold."""
    measured = explanation.get("without")
    if measured is None:
        return ""
    pairs = [pair for pair in zip(explanation["tokens"], measured, strict=True) if pair[1] is not None]
    marked = sum(contradicts(*pair) for pair in pairs)
    if not marked:
        return f"Read on without them one by one, none of these {len(pairs)} says otherwise."
    return (
        f"Outlined: {marked} of {len(pairs)} whose credit is contradicted, where the run read on without the word "
        "loses another amount; believe that."
    )


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
