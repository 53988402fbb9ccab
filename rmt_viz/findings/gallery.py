"""Findings of Gallery: its rows in order, what the list shows as a sentence, and as columns."""

from collections.abc import Sequence

from rmt.tasks import title
from rmt_viz.findings.words import add_row, percent
from rmt_viz.shelf.results import Shown

SPECIAL = {  # what is special about a run -> what that means
    "update": "told more than once, the last time counts",
    "never mentioned": "nobody told of them",
    "cut fact": "a boundary cuts the fact that answers it",
    "far": "eight segments or more from the fact to the question",
    "crowded": "twelve facts or more",
}
RIGHT = ("wrong", "right")


def ordered(rows: Sequence[Shown]) -> list[Shown]:
    """The rows: failures first, the surest of them on top; then those right, the least sure on top."""
    return sorted(rows, key=lambda row: (row.right, row.p if row.right else -row.p, row.id))


def chosen(rows: Sequence[Shown], tasks: Sequence[str], special: Sequence[str], right: str | None) -> list[Shown]:
    """The rows of these checkpoints with all that is asked for; where nothing is asked for, all of them."""
    return [
        row
        for row in ordered(rows)
        if (not tasks or row.checkpoint in tasks)
        and set(special) <= set(row.special)
        and (right is None or row.right == (right == "right"))
    ]


def gallery(rows: Sequence[Shown]) -> str:
    """A sentence on how many of these are right."""
    if not rows:
        return "No text is like that; ask for less"
    right = sum(row.right for row in rows)
    wrong = [row for row in rows if not row.right]
    sure = f", {sum(row.p >= 0.9 for row in wrong)} of them with a probability of 0.9 or more" if wrong else ""
    return f"{right} of {len(rows)} are right ({percent(right / len(rows))}); {len(wrong)} are wrong{sure}"


def line(row: Shown) -> dict:
    """A row as it is drawn."""
    return {
        "id": row.id,
        "right": row.right,
        "task": title(row.checkpoint.removesuffix("-8")),
        "segments": row.segments,
        "question": row.question,
        "answer": row.answer,
        "truth": row.truth,
        "p": row.p,
        "facts": row.facts,
        "special": [{"name": name, "about": SPECIAL.get(name, "")} for name in row.special],
        "moment": f"segment {row.moment}: {row.why}",
    }


def table(rows: Sequence[Shown]) -> dict[str, Sequence]:
    """Columns of the list: a row for each text."""
    columns = {
        name: [] for name in ("checkpoint", "segments", "seed", "question", "answer", "truth", "right", "P(answer)",
                              "P(truth)", "facts", "special", "segment that decides", "why")
    }  # fmt: skip
    for row in rows:
        tags = ", ".join(row.special)
        add_row(columns, row.checkpoint, row.segments, row.seed, row.question, row.answer, row.truth,
                RIGHT[row.right], row.p, row.p_truth, row.facts, tags, row.moment, row.why)  # fmt: skip
    return columns
