"""What visitors can ask for: each request as a job for the worker, and the results of earlier ones."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rmt.errors import InputError
from rmt.intervene.changes import write
from rmt.trace import Trace
from rmt_viz import session
from rmt_viz.shelf import bundled_causes, example_texts, results
from rmt_viz.shelf.library import Run, with_control
from rmt_viz.shelf.results import Shown
from rmt_viz.work import causes, mechanisms, score, visitors_checkpoint
from rmt_viz.work.queue import Job


def start_look(wanted: visitors_checkpoint.CheckpointChoice) -> Job:
    """Start to inspect a checkpoint in the background; the job's result is the report."""
    return session.start("look", lambda progress: visitors_checkpoint.look(wanted), wanted)


def start_own_run(wanted: visitors_checkpoint.CheckpointChoice, text: str, tokenizer: bool) -> Job:
    """Start to record a text, or ids where there is no tokenizer, with a visitor's own checkpoint."""
    example_texts.check_length(text)
    document = text if tokenizer else example_texts.token_ids(text)
    shelf = session.library()
    return session.start(
        "run", lambda progress: shelf.add(visitors_checkpoint.read(wanted, document, progress), maker=wanted), wanted
    )


@contextmanager
def _opened(wanted: visitors_checkpoint.CheckpointChoice) -> Iterator:
    """Open a checkpoint as a model; a shipped one is loaded once and stays. On the worker's thread only."""
    if wanted.shipped is None:
        with visitors_checkpoint.opened(wanted) as reader:
            yield reader
        return
    length = wanted.segment_length or session.config_of(wanted.name)["segment_length"]
    yield score.with_segment_length(session.model(wanted.name), length)


def start_sample(checkpoint: str, segments: int) -> Job:
    """Start to record a fresh sample of a shipped checkpoint's task; the job's result is the id of the trace."""
    wanted = visitors_checkpoint.CheckpointChoice(checkpoint, session.CHECKPOINTS / checkpoint)

    def work(progress) -> str:
        with _opened(wanted) as reader:
            return session.library().add(score.sample(reader, segments, progress), maker=wanted)

    return session.start("run", work, wanted)


def shown(row: Shown) -> str | None:
    """The id of the run of a row of the gallery, if it has been recorded already and is still here."""
    run = _cached_run(("gallery", row.id))
    return run.id if run else None


def start_shown(row: Shown) -> Job:
    """Start to record a row of the gallery again; the job's result is the id of the trace.

    It fails with a sentence where the run answers something else than the row says.
    """
    wanted = visitors_checkpoint.CheckpointChoice(row.checkpoint, session.CHECKPOINTS / row.checkpoint)
    session.config_of(row.checkpoint)  # which raises where it is not here
    cache = session.result_cache()

    def work(progress) -> str:
        with _opened(wanted) as reader:
            trace = score.sample(reader, row.segments, progress, seed=row.seed, never=row.never)
        if trace.answer != row.answer or trace.classes[trace.meta["label"]] != row.truth:
            raise InputError(
                f"Recorded again, this run answers {trace.answer}, where the list says {row.answer}: it was made with "
                f"other weights. {results.MAKES['gallery']} makes the list again."
            )
        return cache.put(("gallery", row.id), session.library().add(trace, maker=wanted))

    return session.start("run", work, row.id)


def start_scoring(
    wanted: visitors_checkpoint.CheckpointChoice, lengths: Sequence[int], samples: int, controls: Sequence[str]
) -> Job:
    """Start to score a checkpoint at some lengths; job.about holds the rows, which grow as they come."""
    rows = []

    def work(progress) -> list:
        with _opened(wanted) as reader:
            return score.score(reader, lengths, samples, controls, rows, progress)

    return session.start("score", work, rows)


def start_pair(wanted: visitors_checkpoint.CheckpointChoice, text: str) -> Job:
    """Start to record a text with memory and with memory reset; the job's result is the id of the first."""
    example_texts.check_length(text, example_texts.WHILE_WAITING)

    def work(progress) -> str:
        with _opened(wanted) as reader:
            trace, control = score.pair(reader, text, progress)
        id = session.library().add(trace, maker=wanted)
        session.library().add(control, of=id, maker=wanted)
        return id

    return session.start("pair", work, wanted)


def start_capacity(checkpoint: str, facts: Sequence[tuple[str, str]], seed: int) -> Job:
    """Tell a shipped checkpoint of people one by one; the job's result is what is answered about each after each."""
    told = tuple(facts)
    work = lambda progress: causes.one_by_one(session.model(checkpoint), told, seed)  # noqa: E731
    return session.start("capacity", work, (checkpoint, told, seed))


def start_mechanisms(names: Sequence[str], text: str) -> Job:
    """Start to read a text with each of these shipped checkpoints; the job's result is a row for each."""
    example_texts.check_length(text, example_texts.WHILE_WAITING)
    folders = [session.CHECKPOINTS / name for name in names]
    return session.start("mechanisms", lambda progress: mechanisms.side_by_side(folders, text, progress))


def start_run(text: str, checkpoint: str, segment_length: int) -> Job:
    """Start to record a text; the visitor's earlier run, if it still goes, is stopped.

    The job's result is the id of the trace. Raises InputError for a text that cannot be run.
    """
    example_texts.check(text, session.config_of(checkpoint), segment_length)
    return session.start("run", lambda progress: _record(text, checkpoint, segment_length, progress))


def _record(text: str, checkpoint: str, segment_length: int, progress) -> str:
    reader = score.with_segment_length(session.model(checkpoint), segment_length)
    return session.library().add(score.record_text(reader, text, progress))


def example(run: Run) -> Run | None:
    """The bundled what-if of a run, or None."""
    path = bundled_causes.example_of(run)
    if path is None:
        return None
    made = _cached_run(("example", run.id))
    return made or _cache_run(("example", run.id), Trace.open(path), run, "recorded")


def what_if(run: Run, text: str) -> Run | None:
    """The run with these changes if it is bundled or has been made already, else None."""
    bundled = example(run)
    if bundled and bundled.trace.meta["changes"] == text:
        return bundled
    return _cached_run(("what-if", run.id, text))


def reset_what_if(run: Run, changes) -> tuple[Run, Run] | None:
    """The reset control of a run and the same changes made to it, where both are there."""
    control = session.reset_of(run.id)
    made = what_if(control, write(changes)) if control else None
    return (control, made) if made else None


def start_what_if(run: Run, text: str) -> Job:
    """Start to read a run again with these changes. Raises InputError for a run that is too long."""
    causes.check(run)
    session.stop("blank")  # of an earlier change; a visitor's jobs run one after another
    others, fresh = {donor.id: donor for donor in donors(run)}, session.fresh_runs()

    control = session.reset_of(run.id) if causes.edits_text(text) and run.trace.questions else None

    def work(progress) -> str:
        made = causes.change(session.maker, run, text, others, fresh, progress)
        if control:
            again = causes.change(session.maker, control, text, {}, fresh, progress)
            _cache_run(("what-if", control.id, text), again, run, "live")
        return _cache_run(("what-if", run.id, text), made, run, "live").id

    return session.start("what-if", work, (run.id, text))


def blank_answer(made: Run, of: Run, text: str) -> dict | None:
    """What runs with other facts answer after the same change; {} where nothing does, None until it is worked out."""
    if made.trace.meta.get("blank") or not causes.has_blank(of, text):
        return made.trace.meta.get("blank") or {}
    return session.result_cache().get(("blank", of.id, text))


def start_blank_answer(run: Run, text: str) -> Job:
    """Start to make the same change in runs with other facts. The job's result is kept for `blank_answer`."""
    others, cache, fresh = {donor.id: donor for donor in donors(run)}, session.result_cache(), session.fresh_runs()

    def work(progress) -> dict:
        answers = causes.blank_answer(session.maker, run, text, others, fresh, progress)
        return cache.put(("blank", run.id, text), answers or {})

    return session.start("blank", work, (run.id, text))


def donors(run: Run) -> list[Run]:
    """The runs whose memory this visitor can transplant: runs of the same weights, controls and the run itself, too."""
    library, others = session.library(), [run]
    for name, _, _, _ in session.recorded():
        for control in library.controls(name):
            try:
                other = library.open(with_control(name, control))
            except InputError:
                continue
            if other.id != run.id and other.trace.complete:
                others.append(other)
    return causes.donors_of(run, others)


def slot_map(run: Run) -> dict | None:
    """Both maps of a run's slots if they have been made already, else None."""
    return session.result_cache().get(("slots", run.id))


def start_slot_map(run: Run) -> Job:
    """Start to ablate each slot, and all but each, before each segment."""
    causes.check(run)
    cache, fresh = session.result_cache(), session.fresh_runs()  # the worker has no session of its own
    work = lambda progress: cache.put(("slots", run.id), causes.map_slots(session.maker, run, fresh, progress))  # noqa: E731
    return session.start("slots", work, run.id)


def why(run: Run, token: int | None = None) -> dict | None:
    """The explanation of a run's answer, or of a token of its text, if it is bundled or has been made already."""
    bundled = bundled_causes.why_of(run) if token is None else None
    return bundled or session.result_cache().get(("why", run.id, token))


def start_why(run: Run, token: int | None = None) -> Job:
    """Start to explain a run's answer, or a token of its text."""
    causes.check(run)
    key = ("why", run.id, token)
    fresh = session.fresh_runs()
    return _start_cached("why", key, lambda progress: causes.explain(session.maker, run, fresh, token, progress))


def path(run: Run, start: int, end: int, token: int | None = None) -> dict | None:
    """The path from tokens start to end of a run to its answer, if it is bundled or has been made already."""
    bundled = (why(run) or {}).get("path") if token is None else None
    if bundled and (bundled["start"], bundled["end"]) == (start, end):
        return bundled
    return session.result_cache().get(("path", run.id, start, end, token))


def start_path(run: Run, start: int, end: int, token: int | None = None) -> Job:
    """Start to follow tokens of a run to its answer."""
    causes.check(run)
    key = ("path", run.id, start, end, token)
    return _start_cached("path", key, lambda p: causes.follow_path(session.maker, run, start, end, token, p))


def cut(run: Run, start: int, end: int, edges: str, token: int | None = None) -> dict | None:
    """The answer with these edges of a path cut together, if it has been made already."""
    return session.result_cache().get(("cut", run.id, start, end, token, edges))


def start_cut(run: Run, start: int, end: int, edges: str, token: int | None = None) -> Job:
    """Start to read a run with these edges of a path cut together."""
    causes.check(run)
    key = ("cut", run.id, start, end, token, edges)
    return _start_cached("cut", key, lambda _: causes.cut_edges(session.maker, run, start, end, token, edges))


def _start_cached(kind: str, key: tuple, work: Callable) -> Job:
    """Start a job whose result is kept under a key. about: the key."""
    cache = session.result_cache()  # the worker has no session of its own
    return session.start(kind, lambda progress: cache.put(key, work(progress)), key)


def _cache_run(key: tuple, trace: Trace, of: Run, source: str) -> Run:
    shelf = session.library()
    id = shelf.add(trace, source, maker=of.maker)
    session.result_cache().put(key, id)
    return shelf.open(id)


def _cached_run(key: tuple) -> Run | None:
    id, shelf = session.result_cache().get(key), session.library()
    return shelf.open(id) if id and shelf.has(id) else None
