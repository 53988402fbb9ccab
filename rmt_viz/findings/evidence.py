"""The evidence for a claim of cause: one question, asked of a run, of its controls, and of a changed fact's run."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_plus

from rmt.viewer.slices import Run

TOLD, RESET, UNTRAINED = "the text as it is", "memory reset at each boundary", "untrained weights"


@dataclass(frozen=True)
class Table:
    """The same question under several conditions. rows: condition, answer, its probability."""

    caption: str
    rows: Sequence[tuple[str, str, float]]


def asked(run: Run, who: str, moment: int) -> tuple[str, float]:
    """The answer about somebody and its probability; moment: after so many segments, 0 is before the first."""
    one = next(one for one in run.measures.followed if one.name == who)
    return run.trace.classes[one.answer[moment]], float(one.p[moment])


def edit(run: Run) -> tuple[int, str] | None:
    """The segment of the fact that was changed in a run, counted from 0, and what it says now; None where none was."""
    kind, _, rest = str(run.trace.meta.get("changes") or "").partition(":")
    place, _, words = rest.partition(":")
    if kind != "edit" or not words:
        return None
    return run.trace.segment_of(int(place.partition("-")[0])), unquote_plus(words)


def conditions(sources, name: str, moment: int) -> dict[str, Run]:
    """The runs over one text that are at hand, by condition; those of a changed fact once its segment was read."""
    runs = {TOLD: sources.run(name)}
    for control, reset in (("", ""), (".reset", ", and memory reset")):
        changed = sources.changed(f"{name}{control}")
        found = edit(changed) if changed else None
        if found and found[0] < moment:
            runs[f"changed: “{found[1]}”{reset}"] = changed
    runs |= {RESET: sources.run(f"{name}.reset"), UNTRAINED: sources.run(f"{name}.untrained")}
    return {condition: run for condition, run in runs.items() if run and moment <= run.trace.done}


def table(sources, name: str, who: str, moment: int) -> Table:
    """One person asked for after so many segments, under each condition that is at hand."""
    runs = conditions(sources, name, moment)
    question = next(one.question for one in runs[TOLD].measures.followed if one.name == who)
    rows = [(condition, *asked(run, who, moment)) for condition, run in runs.items()]
    return Table(f"{question} Asked after segment {moment}:", rows)
