"""BABILong's table: our scores beside those that others report, by task and length. No torch, no streamlit."""

from rmt_viz.findings.words import percent
from rmt_viz.shelf.results import BabilongScore, Results

TASKS = {
    "qa1": "Where is a person?", "qa2": "Where is an object?", "qa3": "Where was an object before?",
    "qa4": "What is north of what?", "qa5": "Who gave what to whom?",
    "open-words": "Where is one of hundreds of people?", "chains": "What is two places away?",
}  # fmt: skip
OURS = {  # what a line is called -> whose stories, which control, whether about what was never mentioned
    "{}": ("ours", "none", False),
    "{}, official stories": ("official", "none", False),
    "{}, official stories of the training file": ("official, training file", "none", False),
    "{}, asked about what was never mentioned": ("ours", "none", True),
    "{}, memory reset at each boundary": ("ours", "reset", False),
}
LENGTHS = ("4k", "32k", "128k", "512k", "1M", "10M", "50M")
NOTE = (
    "Facts stand in order between sentences of a background that is left as it is: here State of the Union addresses "
    "that training never saw, in the benchmark books. Lengths are in each model’s own tokens. In brackets: 95% "
    "intervals. What others report is theirs, measured on the official stories; a prompted model was not trained on "
    "the task."
)


def tasks(results: Results) -> list[str]:
    """The tasks with scores of ours, in order."""
    return [name for name in TASKS if any(row.task == name for row in results.rows)]


def table(results: Results, task: str) -> dict[str, list[str]]:
    """Columns of one task's table: the model, how it was trained, and the share of right answers at each length."""
    ours = [row for row in results.rows if row.task == task]
    others = [other for other in results.about["others"] if task in other["accuracy"]]
    known = {row.length for row in ours} | {n for other in others for n in other["accuracy"][task]}
    lengths = [n for n in LENGTHS if n in known]
    lines = []
    for checkpoint in dict.fromkeys(row.checkpoint for row in ours):
        for name, chosen in OURS.items():
            rows = (row for row in ours if row.checkpoint == checkpoint)
            scores = {row.length: row for row in rows if (row.stories, row.control, row.never) == chosen}
            if scores:
                cells = (_score(scores.get(n)) for n in lengths)
                lines.append([name.format(checkpoint), "on stories of ours, of the same grammar", *cells])
    for other in others:
        reported = other["accuracy"][task]
        given = [f"{reported[n]:g}%" if n in reported else "–" for n in lengths]
        lines.append([other["model"], other["trained"], *given])
    columns = ["Model", "Trained", *(f"{n} tokens" for n in lengths)]
    return {name: [line[i] for line in lines] for i, name in enumerate(columns)}


def _score(row: BabilongScore | None) -> str:
    if row is None:
        return "–"
    return f"{percent(row.accuracy)} ({percent(row.low)}–{percent(row.high)}, {row.samples} asked)"


def finding(results: Results, task: str) -> str:
    """A sentence on the score at the greatest length, the best one where several models have been there."""
    rows = (r for r in results.rows if (r.task, r.control, r.never) == (task, "none", False))
    row = max(rows, key=lambda r: (LENGTHS.index(r.length), r.accuracy))  # a model's segments round its tokens
    words = round(row.tokens * results.about["words_per_token"], -3)
    return (
        f"{TASKS[task]} At {row.tokens:,} tokens ({words:,.0f} words) {percent(row.accuracy)} of {row.samples} "
        f"questions about what was told are answered right by {row.checkpoint}"
    )
