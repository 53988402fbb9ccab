"""What visitors had worked out on What if, Facts and Why: jobs for the worker, and what came of them."""

from rmt.errors import InputError
from rmt.trace import Trace
from rmt_viz import causes, session
from rmt_viz.jobs import Job
from rmt_viz.library import Run, with_control


def example(run: Run) -> Run | None:
    """The bundled what-if of a run."""
    path = causes.example_of(run)
    if path is None:
        return None
    made = _kept(("example", run.id))
    return made or _keep(("example", run.id), Trace.open(path), run, "recorded")


def what_if(run: Run, text: str) -> Run | None:
    """The run with these changes, where somebody has had it made."""
    bundled = example(run)
    if bundled and bundled.trace.meta["changes"] == text:
        return bundled
    return _kept(("what-if", run.id, text))


def start_what_if(run: Run, text: str) -> Job:
    """Read a run again with these changes, in the background. Raises InputError for a run that is too long."""
    causes.check(run)
    others = {donor.id: donor for donor in donors(run)}

    def work(progress) -> str:
        made = causes.change(session.maker, run, text, others, progress)
        return _keep(("what-if", run.id, text), made, run, "live").id

    return session.start("what-if", work, (run.id, text))


def donors(run: Run) -> list[Run]:
    """Runs of the same weights that this visitor can open, controls among them, and the run itself."""
    shelf, found = session.library(), [run]
    for name, _, _, _ in session.recorded():
        for control in shelf.controls(name):
            try:
                other = shelf.open(with_control(name, control))
            except InputError:
                continue
            if other.id != run.id and other.trace.complete:
                found.append(other)
    return causes.donors_of(run, found)


def slot_map(run: Run) -> dict | None:
    """Both maps of a run's slots, where somebody has had them made."""
    return session.found().get(("slots", run.id))


def start_slot_map(run: Run) -> Job:
    """Ablate each slot, and all but each, before each segment, in the background."""
    causes.check(run)
    found = session.found()  # the worker has no session of its own
    return session.start(
        "slots", lambda progress: found.put(("slots", run.id), causes.map_slots(session.maker, run, progress)), run.id
    )


def why(run: Run) -> dict | None:
    """What made a run's answer: bundled, or as somebody has had it worked out."""
    return causes.why_of(run) or session.found().get(("why", run.id))


def start_why(run: Run) -> Job:
    """Explain a run in the background."""
    causes.check(run)
    found = session.found()
    return session.start(
        "why", lambda progress: found.put(("why", run.id), causes.explain(session.maker, run, progress)), run.id
    )


def _keep(key: tuple, trace: Trace, of: Run, source: str) -> Run:
    shelf = session.library()
    id = shelf.add(trace, source, maker=of.maker)
    session.found().put(key, id)
    return shelf.open(id)


def _kept(key: tuple) -> Run | None:
    id, shelf = session.found().get(key), session.library()
    return shelf.open(id) if id and shelf.has(id) else None
