"""What visitors ask for on Models, Watch, Length, Loss and Mechanisms: each a job for the worker."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rmt_viz import bring, comparing, measuring, session, texts
from rmt_viz.jobs import Job


def start_look(wanted: bring.Wanted) -> Job:
    """Find out in the background what a checkpoint is; the job's result is its report."""
    return session.start("look", lambda progress: bring.look(wanted), wanted)


def start_own_run(wanted: bring.Wanted, text: str, tokenizer: bool) -> Job:
    """Record a text, or ids where there is no tokenizer, with a visitor's own checkpoint, in the background."""
    texts.check_length(text)
    document = text if tokenizer else texts.token_ids(text)
    shelf = session.library()
    return session.start(
        "run", lambda progress: shelf.add(bring.read(wanted, document, progress), maker=wanted), wanted
    )


@contextmanager
def _opened(wanted: bring.Wanted) -> Iterator:
    """A checkpoint ready to run, a shipped one loaded once for all. On the worker's thread only."""
    if wanted.shipped is None:
        with bring.opened(wanted) as reader:
            yield reader
        return
    from rmt.checkpoint.whole import check_room

    reader = session.model(wanted.name)
    length = wanted.segment_length or session.config_of(wanted.name)["segment_length"]
    check_room(reader, length)
    reader.segment_length = length
    yield reader


def start_sample(checkpoint: str, segments: int) -> Job:
    """Record a fresh sample of a shipped checkpoint's task; the job's result is the id of the trace."""
    wanted = bring.Wanted(checkpoint, session.CHECKPOINTS / checkpoint)

    def work(progress) -> str:
        with _opened(wanted) as reader:
            return session.library().add(measuring.sample(reader, segments, progress), maker=wanted)

    return session.start("run", work, wanted)


def start_scoring(wanted: bring.Wanted, lengths: Sequence[int], samples: int, controls: Sequence[str]) -> Job:
    """Score a checkpoint at some lengths; the job is about the rows, which grow as they come."""
    rows = []

    def work(progress) -> list:
        with _opened(wanted) as reader:
            return measuring.score(reader, lengths, samples, controls, rows, progress)

    return session.start("score", work, rows)


def start_pair(wanted: bring.Wanted, text: str) -> Job:
    """Record a text with a language model and with its memory reset; the job's result is the id of the first."""
    texts.check_length(text)

    def work(progress) -> str:
        with _opened(wanted) as reader:
            trace, control = measuring.pair(reader, text, progress)
        id = session.library().add(trace, maker=wanted)
        session.library().add(control, of=id, maker=wanted)
        return id

    return session.start("pair", work, wanted)


def start_mechanisms(names: Sequence[str], text: str) -> Job:
    """Read a text with each of these shipped checkpoints; the job's result is a row for each."""
    texts.check_length(text)
    folders = [session.CHECKPOINTS / name for name in names]
    return session.start("mechanisms", lambda progress: comparing.side_by_side(folders, text, progress))


def start_run(text: str, checkpoint: str, segment_length: int) -> Job:
    """Record a text in the background; the visitor's earlier run, if it still goes, is stopped.

    The job's result is the id of the trace. Raises InputError for a text that cannot be run.
    """
    texts.check(text, session.config_of(checkpoint), segment_length)
    return session.start("run", lambda progress: _record(text, checkpoint, segment_length, progress))


def _record(text: str, checkpoint: str, segment_length: int, progress) -> str:
    from rmt.recorder import record

    reader = session.model(checkpoint)
    reader.segment_length = segment_length  # safe: only the worker's one thread comes here
    return session.library().add(record(reader, text, detail="thin", progress=progress))
