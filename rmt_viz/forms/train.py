"""Forms of Train: a small training run, and one text read at several moments of training."""

import streamlit as st

from rmt_viz import session
from rmt_viz.figures import train as figures
from rmt_viz.findings import train
from rmt_viz.widgets import chart, links
from rmt_viz.widgets.errors import saying
from rmt_viz.widgets.markdown import plain
from rmt_viz.widgets.progress import follow
from rmt_viz.work import train as training

SHAPE = "{layers} layers, {heads} heads, width {width}, {n_memory} slots, {segment_length} tokens a segment"
SEEDS = 1000


def small_run() -> None:
    """The form that starts a training run; while it goes, its progress and a button that stops it."""
    with st.container(border=True, gap="small"):
        st.markdown("**Train one yourself**")
        st.caption(
            plain(
                f"Memorize, from scratch: {SHAPE.format(**training.SHAPE)}. It takes about a minute on two cores; the "
                "text it is watched on is longer than any that it learns from."
            )
        )
        with st.form("small run", border=False):
            left, right = st.columns(2)
            segments = left.segmented_control("Segments", (1, 2, 3), default=3, required=True, key="train segments")
            seed = right.number_input("Seed", 0, SEEDS, 0, key="train seed")
            if st.form_submit_button("Train", type="primary"):
                with saying():
                    _train(training.Plan(segments, int(seed)))
        _follow("train", "Preparing: torch, weights, a first reading", "{done} of {total} stages learned")


def readings(kind: str, name: str, watch) -> None:
    """The figure of a job's readings so far, and links to the runs that were kept, on the page `watch`."""
    log = log_of(kind)
    if log is None or not log.readings:
        return
    moments = list(log.readings)
    finding = train.reading_finding(moments)
    chart.show(
        figures.readings(moments, finding, theme=chart.theme()),
        name=f"{name}-readings",
        alt=f"Probability of the answer by moment of training and segments read. {finding}.",
        table=train.reading_table(moments),
        caption=f"Live: {log.of}, read at each of these moments. Each row is one model, each column one question.",
    )
    openable = [reading for reading in moments if reading.run and session.library().has(reading.run)]
    with st.container(horizontal=True, gap="small"):
        st.caption("Open in Watch:", width="content")
        for reading in openable:
            links.to_run(watch, reading.run, plain(reading.label))


def recorded(watch) -> None:
    """The figure of traces that `rmt.TraceCallback` recorded (rmt-viz --runs FOLDER), where there are some."""
    runs = session.runs_of_training()
    moments, of = train.recorded_readings(runs)
    if not moments:
        return
    finding = train.reading_finding(moments) if of == "P(answer)" else train.loss_finding(moments)
    chart.show(
        figures.readings(moments, finding, of=of, theme=chart.theme()),
        name="recorded-readings",
        alt=f"{of} of one text by moment of training and segment. {finding}.",
        table=train.reading_table(moments, of),
        caption="Recorded in your training by rmt.TraceCallback: the same text, read at each of these moments. Each "
        "row is one model; the text with memory reset at each boundary is the control Reset in Watch.",
    )
    with st.container(horizontal=True, gap="small"):
        st.caption("Open in Watch:", width="content")
        for reading in moments:
            links.to_run(watch, reading.run, f"step {reading.step:,}")


def reread(name: str) -> None:
    """The button that reads one text with the checkpoint of each shipped stage, in the background."""
    stages = training.stages_of(session.CHECKPOINTS / name)
    trace = next((run for run, _, checkpoint, _ in session.recorded() if checkpoint == name), None)
    if not stages or trace is None:
        st.caption(plain("No checkpoint of its stages ships with this model; a run of your own, below, keeps them."))
        return
    if st.button(f"Read one text with each of its {len(stages)} stages", key=f"reread {name}"):
        _reread(name, stages, trace)
    _follow(f"growth {name}", "Opening the checkpoints", "{done} of {total} checkpoints")


def log_of(kind: str) -> training.TrainingLog | None:
    """The training log of a job of this kind, running or ended, or None."""
    job = session.current(kind)
    return job.about if job else None


def _train(plan: training.Plan) -> None:
    shelf, tokenizer = session.library(), session.CHECKPOINTS / "memorize" / "tokenizer.json"
    log = training.TrainingLog(f"a fresh sample of {plan.segments + training.BEYOND} segments")
    session.start("train", lambda progress: training.train(plan, log, shelf, tokenizer, progress), log)


def _reread(name: str, stages: list, id: str) -> None:
    shelf = session.library()
    trace = shelf.open(id).trace
    log = training.TrainingLog(f"the text of the recorded run {id}, by the model of each stage of a run that kept them")
    session.start(f"growth {name}", lambda progress: training.reread(stages, trace, log, shelf, progress), log)


def _follow(kind: str, opening: str, step: str) -> None:
    """Show the job's progress; readings made before it was stopped stay."""

    def size() -> int:
        log = log_of(kind)
        return len(log.readings) if log else 0

    follow(kind, opening, step, size=size, forget=False)
