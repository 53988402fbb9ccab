"""Jobs of What if, Facts and Why: a changed run, a map of slots, an explanation.

Nothing here loads torch before a job runs.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

from rmt.errors import InputError
from rmt.intervene import changes as ch
from rmt.intervene import edges
from rmt.viewer.slices import Run

MOST_SEGMENTS = 512  # of a run that is read again while somebody waits
MOST_KEPT = 4  # readings of fresh runs; one of 64 segments takes some 10 MB


class KeptFreshRuns:
    """Fresh runs of the models' tasks as `rmt.causes.samples.read_fresh` reads them, the last ones kept.

    They are the same for all changes of all runs of one length, and take as long as all else in a what-if.
    """

    def __init__(self):
        self.kept: OrderedDict[tuple, object] = OrderedDict()

    def __call__(self, model, n_segments: int, *, progress=None, **options):
        """Read them, or return those that were read before. On the worker's thread."""
        from rmt.causes.samples import read_fresh
        from rmt.recorder.run import fingerprint

        key = (fingerprint(model), model.about.task, model.segment_length, n_segments, *sorted(options.items()))
        found = self.kept.get(key) or read_fresh(model, n_segments, progress=progress, **options)
        self.kept[key] = found
        self.kept.move_to_end(key)
        while len(self.kept) > MOST_KEPT:
            self.kept.popitem(last=False)
        return found


def check(run: Run) -> None:
    """Check that a run can be read again here. Raises InputError where it is too long or not complete."""
    if run.trace.done > MOST_SEGMENTS or not run.trace.complete:
        raise InputError(
            f"This run has {run.trace.n_segments:,} segments; what-ifs of more than {MOST_SEGMENTS} are made with "
            "python -m rmt what-if."
        )


def change(open_model: Callable, run: Run, text: str, donors: dict[str, Run], fresh: KeptFreshRuns, progress):
    """The trace of a run read again with these changes, without its blank answer. On the worker's thread."""
    from rmt.causes.what_if import what_if

    traces = {name: donor.trace for name, donor in donors.items()}
    given = {"donors": traces, "blank_too": False, "runs": fresh, "progress": progress}
    return what_if(open_model(run), run.trace, ch.parse(text), **given)


def blank_answer(open_model: Callable, run: Run, text: str, donors: dict[str, Run], fresh: KeptFreshRuns, progress):
    """What runs with other facts answer after these changes, or None. On the worker's thread."""
    from rmt.causes.blank_answer import blank
    from rmt.intervene import recalled

    model = open_model(run)
    others = {name: recalled(model, donor.trace) for name, donor in donors.items()}
    return blank(model, ch.parse(text), run.trace.n_segments, donors=others, runs=fresh, progress=progress)


def has_blank(run: Run, text: str) -> bool:
    """Whether runs with other facts can be changed in the same way: no text is changed, and there is a memory."""
    return not ch.edits(ch.parse(text)) and run.trace.meta["control"] != "reset" and bool(run.trace.classes)


def edits_text(text: str) -> bool:
    """Whether these changes are of the text alone, so that they can be made to a control of it as well."""
    changes = ch.parse(text)
    return bool(changes) and len(ch.edits(changes)) == len(changes)


def map_slots(open_model: Callable, run: Run, fresh: KeptFreshRuns, progress) -> dict:
    """Both maps of a run's slots: without each slot, and with each alone. On the worker's thread."""
    from rmt.causes.slot_effects import slot_map

    return slot_map(open_model(run), run.trace, runs=fresh, progress=progress)


def explain(open_model: Callable, run: Run, fresh: KeptFreshRuns, token: int | None, progress) -> dict:
    """The explanation of a run's answer, or of a token of its text. On the worker's thread."""
    from rmt.causes.why import why

    return why(open_model(run), run.trace, token=token, runs=fresh, progress=progress)


def follow_path(open_model: Callable, run: Run, start: int, end: int, token: int | None, progress) -> dict:
    """The path from tokens start to end to the answer, or to a token of the document. On the worker's thread."""
    from rmt.causes.paths import path_from

    return path_from(open_model(run), run.trace, start, end, token=token, progress=progress)


def cut_edges(open_model: Callable, run: Run, start: int, end: int, token: int | None, text: str) -> dict:
    """The answer when these edges of a path are cut together. On the worker's thread."""
    from rmt.causes.paths import cut_together

    return cut_together(open_model(run), run.trace, start, end, edges.parse(text), token=token)


def one_by_one(model, facts: Sequence[tuple[str, str]], seed: int):
    """What is answered about each person after each fact, (K + 1, people, classes). On the worker's thread."""
    from rmt.causes.capacity import one_by_one

    return one_by_one(model, facts, seed=seed)


def donors_of(run: Run, others: list[Run]) -> list[Run]:
    """The runs whose memory can be transplanted into this one: those of the same weights."""
    weights = run.trace.meta["made_by"]["fingerprint"]
    return [other for other in others if other.trace.meta["made_by"]["fingerprint"] == weights]
