"""Each thing a visitor can ask for, as a job for the worker, and what came of what was asked before."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rmt.errors import InputError
from rmt.trace import Trace
from rmt_viz import session
from rmt_viz.shelf import bundled_causes, example_texts
from rmt_viz.shelf.library import Run, with_control
from rmt_viz.work import causes, mechanisms, score, visitors_checkpoint
from rmt_viz.work.queue import Job


def start_look(wanted: visitors_checkpoint.Wanted) -> Job:
    """Find out in the background what a checkpoint is; the job's result is its report."""
    return session.start("look", lambda progress: visitors_checkpoint.look(wanted), wanted)


def start_own_run(wanted: visitors_checkpoint.Wanted, text: str, tokenizer: bool) -> Job:
    """Record a text, or ids where there is no tokenizer, with a visitor's own checkpoint, in the background."""
    example_texts.check_length(text)
    document = text if tokenizer else example_texts.token_ids(text)
    shelf = session.library()
    return session.start(
        "run", lambda progress: shelf.add(visitors_checkpoint.read(wanted, document, progress), maker=wanted), wanted
    )


@contextmanager
def _opened(wanted: visitors_checkpoint.Wanted) -> Iterator:
    """A checkpoint ready to run, a shipped one loaded once for all. On the worker's thread only."""
    if wanted.shipped is None:
        with visitors_checkpoint.opened(wanted) as reader:
            yield reader
        return
    length = wanted.segment_length or session.config_of(wanted.name)["segment_length"]
    yield score.cut(session.model(wanted.name), length)


def start_sample(checkpoint: str, segments: int) -> Job:
    """Record a fresh sample of a shipped checkpoint's task; the job's result is the id of the trace."""
    wanted = visitors_checkpoint.Wanted(checkpoint, session.CHECKPOINTS / checkpoint)

    def work(progress) -> str:
        with _opened(wanted) as reader:
            return session.library().add(score.sample(reader, segments, progress), maker=wanted)

    return session.start("run", work, wanted)


def start_scoring(
    wanted: visitors_checkpoint.Wanted, lengths: Sequence[int], samples: int, controls: Sequence[str]
) -> Job:
    """Score a checkpoint at some lengths; the job is about the rows, which grow as they come."""
    rows = []

    def work(progress) -> list:
        with _opened(wanted) as reader:
            return score.score(reader, lengths, samples, controls, rows, progress)

    return session.start("score", work, rows)


def start_pair(wanted: visitors_checkpoint.Wanted, text: str) -> Job:
    """Record a text with a language model and with its memory reset; the job's result is the id of the first."""
    example_texts.check_length(text)

    def work(progress) -> str:
        with _opened(wanted) as reader:
            trace, control = score.pair(reader, text, progress)
        id = session.library().add(trace, maker=wanted)
        session.library().add(control, of=id, maker=wanted)
        return id

    return session.start("pair", work, wanted)


def start_mechanisms(names: Sequence[str], text: str) -> Job:
    """Read a text with each of these shipped checkpoints; the job's result is a row for each."""
    example_texts.check_length(text)
    folders = [session.CHECKPOINTS / name for name in names]
    return session.start("mechanisms", lambda progress: mechanisms.side_by_side(folders, text, progress))


def start_run(text: str, checkpoint: str, segment_length: int) -> Job:
    """Record a text in the background; the visitor's earlier run, if it still goes, is stopped.

    The job's result is the id of the trace. Raises InputError for a text that cannot be run.
    """
    example_texts.check(text, session.config_of(checkpoint), segment_length)
    return session.start("run", lambda progress: _record(text, checkpoint, segment_length, progress))


def _record(text: str, checkpoint: str, segment_length: int, progress) -> str:
    reader = score.cut(session.model(checkpoint), segment_length)
    return session.library().add(score.record_text(reader, text, progress))


def example(run: Run) -> Run | None:
    """The bundled what-if of a run."""
    path = bundled_causes.example_of(run)
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
    return bundled_causes.why_of(run) or session.found().get(("why", run.id))


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
