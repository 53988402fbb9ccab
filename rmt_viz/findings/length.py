"""Findings of Length: which scores make which curve, and what they say. No torch, no streamlit."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from rmt.tasks import TASKS, title
from rmt_viz.findings.words import percent, segments
from rmt_viz.shelf.results import Score

VIEWS = {"stages": "By training stage", "far": "How far", "recipes": "Two recipes"}
GOOD = 0.98
NEAR = 2.0  # a recorded run is near a length within this factor
CONTROLS = {"reset": "memory reset", "untrained": "untrained"}
RECIPES = {"curriculum": "curriculum alone", "curriculum, as many tokens": "curriculum, as many tokens as streams",
           "streams": "curriculum, then streams",
           "streams, change penalised": "curriculum, then streams that penalise change"}  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """Scores of one model by length. kind: "stage" (in an order), "plain", "control" or "yours"."""

    name: str
    kind: str
    scores: tuple[Score, ...]


def tasks(rows: Iterable[Score]) -> list[str]:
    """The tasks with scores, in the paper's order."""
    scored = {row.task for row in rows}
    return [task for task in TASKS if task in scored] + sorted(scored - set(TASKS))


def chances(drawn: Iterable[Curve]) -> list[float]:
    """The shares that guessing gets right in the tasks of these curves, each once, the least first."""
    of = {score.task for curve in drawn for score in curve.scores}
    return sorted({1 / len(TASKS[task].classes) for task in of if task in TASKS})


def curves(rows: Iterable[Score], view: str, task: str, *, controls: bool = False) -> list[Curve]:
    """The curves of a view, each sorted by length."""
    rows = list(rows)
    plain = [row for row in rows if row.control == "none"]
    if view == "far":
        chosen = [(title(t), "plain", of) for t in tasks(plain) if (of := _farthest(plain, t))]
    elif view == "recipes":
        of = _same_start([row for row in plain if row.task == task])
        chosen = [(RECIPES.get(r, r), "plain", [row for row in of if row.recipe == r]) for r in _seen(of, "recipe")]
    else:
        of = [row for row in plain if row.task == task and row.recipe == "curriculum"]
        stages = sorted({row.trained_on for row in of})
        chosen = [(segments(n), "stage", [row for row in of if row.trained_on == n]) for n in stages]
    drawn = [_curve(name, kind, of) for name, kind, of in chosen if of]
    return drawn + (_controls(rows, drawn) if controls else [])


def yours(rows: Iterable[Score]) -> list[Curve]:
    """The curves of the visitor's own scores."""
    rows = list(rows)
    mine = f"yours, {rows[0].checkpoint}" if rows else ""
    names = {"none": mine, **{control: f"{mine}, {name}" for control, name in CONTROLS.items()}}
    return [
        _curve(name, "yours" if control == "none" else "control", [row for row in rows if row.control == control])
        for control, name in names.items()
        if any(row.control == control for row in rows)
    ]


def _curve(name: str, kind: str, of: Iterable[Score]) -> Curve:
    return Curve(name, kind, tuple(sorted(of, key=lambda row: row.tokens)))


def _farthest(rows: list[Score], task: str) -> list[Score]:
    """The scores of the task's checkpoint that was tested at the greatest length."""
    of = [row for row in rows if row.task == task]
    if not of:
        return []
    best = max(of, key=lambda row: (row.tokens, row.trained_on, row.accuracy))
    return [row for row in of if _model(row) == _model(best)]


def _same_start(rows: list[Score]) -> list[Score]:
    """The scores of one model for each recipe: models trained on the same number of segments, where recipes allow.

    That number is the one that most recipes have, the largest of several. Only the segment length at which most recipes
    were scored is used.
    """
    tried = {n: len({row.recipe for row in rows if row.segment_length == n}) for n in {r.segment_length for r in rows}}
    rows = [row for row in rows if row.segment_length == max(tried, key=tried.get)]
    starts = {n: len({row.recipe for row in rows if row.trained_on == n}) for n in {r.trained_on for r in rows}}
    rows = [row for row in rows if row.trained_on == max(starts, key=lambda n: (starts[n], n))]
    chosen = []
    for recipe in _seen(rows, "recipe"):
        of = [row for row in rows if row.recipe == recipe]
        best = max(of, key=lambda row: row.tokens)
        chosen += [row for row in of if _model(row) == _model(best)]
    return chosen


def _controls(rows: list[Score], drawn: list[Curve]) -> list[Curve]:
    """The control curves of the checkpoints that are drawn, or of their tasks where those have none."""
    shown = {_model(row) for curve in drawn for row in curve.scores}
    of = [row for row in rows if row.control in CONTROLS]
    of = [row for row in of if _model(row) in shown] or [r for r in of if r.task in {task for task, *_ in shown}]
    keys = sorted({(row.control, _model(row)) for row in of})
    many = len({key[1] for key in keys}) > 1
    return [
        _curve(
            f"{title(model[0])}, {CONTROLS[control]}" if many else CONTROLS[control],
            "control",
            [row for row in of if (row.control, _model(row)) == (control, model)],
        )
        for control, model in keys
    ]


def _model(row: Score) -> tuple:
    return row.task, row.checkpoint, row.trained_on, row.recipe


def _seen(rows: Iterable[Score], field: str) -> list[str]:
    return sorted({getattr(row, field) for row in rows})


def finding(drawn: list[Curve], view: str, task: str) -> str:
    """A sentence on what the curves of this view say."""
    of = [curve for curve in drawn if curve.kind in ("plain", "stage")]
    if not of:
        none = f"There are no scores of {title(task)} in this view"
        return f"{none}; choose another task or view, or score a checkpoint below."
    if view == "stages":
        return _stages(of, task)
    if view == "recipes":
        return _recipes(of, task)
    ends = sorted((curve.scores[-1] for curve in of), key=lambda row: -row.tokens)
    return "; ".join(f"{title(row.task)} {percent(row.accuracy)} at {row.tokens:,} tokens" for row in ends)


def _stages(of: list[Curve], task: str) -> str:
    """A sentence on models at twice the length they were trained on; the paper claims it for five segments and more."""
    twice = {}
    for curve in of:
        trained = curve.scores[0].trained_on
        after = [row for row in curve.scores if row.segments >= 2 * trained]
        if after:
            twice[trained] = after[0]
    if not twice:
        return f"{title(task)}: no model was tested at twice the length it was trained on"
    good = [n for n in twice if all(row.accuracy >= GOOD for m, row in twice.items() if m >= n)]
    if good:
        least = min(row.accuracy for m, row in twice.items() if m >= min(good))
        more = " or more" if len(good) > 1 else ""
        return f"{title(task)}: trained on {segments(min(good))}{more}, {percent(least)} at twice that length"
    last = twice[max(twice)]
    missed = f"{percent(last.accuracy)} at {last.segments}, less than {GOOD:.0%}"
    return f"{title(task)}: trained on {segments(last.trained_on)}, {missed}"


def _recipes(of: list[Curve], task: str) -> str:
    """A sentence on the recipes at the greatest length at which all were scored."""
    if len(of) < 2:
        return f"{title(task)}: one recipe has been scored, {of[0].name}; there is none to compare it with"
    common = set.intersection(*({row.segments for row in curve.scores} for curve in of))
    if not common:
        return f"{title(task)}: the recipes were not scored at one length"
    at = max(common)
    shares = [f"{percent(r.accuracy)} with {curve.name}" for curve in of for r in curve.scores if r.segments == at]
    return f"{title(task)} at {segments(at)}: {'; '.join(shares)}"


def label(score: Score) -> str:
    """A score as an entry of a list."""
    how = CONTROLS.get(score.control, f"trained on {segments(score.trained_on)}" if score.trained_on else "yours")
    return f"{title(score.task)}, {how}: {segments(score.segments)}, {percent(score.accuracy)}"


def in_words(score: Score) -> str:
    """A score in words, with its interval."""
    return (
        f"{percent(score.accuracy)} of {score.samples:,} samples are right at {segments(score.segments)}, "
        f"{score.tokens:,} tokens; 95% interval {percent(score.low)} to {percent(score.high)}."
    )


def table(drawn: Iterable[Curve]) -> dict[str, list]:
    """Columns of the curves' numbers, for the table and the CSV."""
    rows = [(curve.name, row) for curve in drawn for row in curve.scores]
    columns = ("task", "checkpoint", "trained_on", "recipe", "control", "segments", "tokens", "samples")
    numbers = ("accuracy", "low", "high")
    return {"curve": [name for name, _ in rows]} | {
        column: [getattr(row, column) for _, row in rows] for column in (*columns, *numbers)
    }


def nearest(score: Score, runs: Iterable[tuple[str, str, str, int]]) -> str | None:
    """The name of the recorded run closest in length to a score, within a factor of NEAR; None where there is none.

    Runs of the score's own checkpoint come first. runs: (name, task, checkpoint, segments) of each.
    """
    of = [(name, checkpoint, n) for name, task, checkpoint, n in runs if task == score.task and n]
    away = [(checkpoint != score.checkpoint, abs(math.log(n / score.segments)), name) for name, checkpoint, n in of]
    near = sorted(item for item in away if item[1] <= math.log(NEAR))
    return near[0][2] if near else None


def hover(score: Score) -> tuple[str, str, str]:
    """A score in three short lines."""
    interval = f"95% interval {percent(score.low)} to {percent(score.high)}, {score.samples:,} samples"
    return label(score), interval, f"{score.tokens:,} tokens"
