"""The worker behind the pages: turns between visitors, limits, places, and ends of every kind that are seen."""

import os
import sys
import threading
import time
from itertools import pairwise

import pytest
from streamlit.testing.v1 import AppTest

from rmt.errors import InputError
from rmt_viz.work import queue
from rmt_viz.work.queue import Jobs, Worker

STEP = 0.02


def steps(n: int, log: list | None = None, name: str = ""):
    """Work of n steps, each noted in a log."""

    def work(progress):
        for i in range(n):
            time.sleep(STEP)
            if log is not None:
                log.append(name)
            progress(i + 1, n)
        return name

    return work


class PanicError(BaseException):
    """What pyo3 raises where a library in Rust panics is no Exception."""


@pytest.mark.parametrize("error", [PanicError, SystemExit, KeyboardInterrupt, MemoryError, ZeroDivisionError])
def test_whatever_ends_a_job_is_seen_and_the_next_one_goes(error):
    def work(progress):
        raise error("anything")

    worker = Worker()
    job, after = worker.submit(work, owner=1), worker.submit(steps(1, name="next"), owner=2)
    assert job.ended.wait(10) and (job.state, job.error) == (
        "failed",
        queue.NO_MEMORY if error is MemoryError else queue.SORRY,
    )
    assert after.ended.wait(10) and after.result == "next"


def test_a_short_job_does_not_wait_for_a_long_one():
    """It was begun after the long one, and is over long before it; one of them works at a time."""
    log, worker = [], Worker(turn=3 * STEP)
    long = worker.submit(steps(200, log, "long"), owner="a")
    time.sleep(5 * STEP)
    short = worker.submit(steps(10, log, "short"), owner="b")
    assert short.ended.wait(20) and long.state == "running"
    while_both = log[log.index("short") : len(log) - log[::-1].index("short")]
    assert while_both.count("long") <= 25, "the long one had two thirds of the steps or less"
    turns = sum(a != b for a, b in pairwise(log))
    assert turns <= 12, "a turn is several steps, not one"
    long.stop.set()
    assert long.ended.wait(10) and long.state == "cancelled"


def test_one_visitors_jobs_run_one_after_another_and_others_go_between():
    log, worker = [], Worker(turn=STEP)
    mine = [worker.submit(steps(20, log, f"mine{i}"), owner="me") for i in range(2)]
    other = worker.submit(steps(5, log, "other"), owner="you")
    assert mine[1].state == "waiting" and mine[1].place() == 1 and mine[0].place() == other.place() == 0
    assert all(job.ended.wait(20) for job in (*mine, other))
    assert log.index("mine1") > len(log) - log[::-1].index("mine0") - 1
    assert log.index("other") < log.index("mine1")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have the priority of their process")
def test_jobs_work_at_a_lower_priority_than_answers():
    """Of the job's threads alone; session.worker() has it so, replays are answers themselves."""
    own = lambda progress=None: os.getpriority(os.PRIO_PROCESS, threading.get_native_id())  # noqa: E731
    before, prepared = own(), []
    prepare = lambda: prepared.append(own())  # noqa: E731
    for worker, more in ((Worker(prepare=prepare, nice=before + 1), 1), (Worker(), 0)):
        job = worker.submit(own)
        assert job.ended.wait(10) and job.result == before + more == own() + more
    assert prepared == [before, before + 1], "what others wait for, too, is prepared at theirs"


def test_a_job_that_cannot_be_prepared_says_so():
    for error in (PanicError, ImportError):

        def prepare(error=error):
            raise error("anything")

        worker = Worker(prepare=prepare)
        for _ in range(2):
            job = worker.submit(lambda progress: None)
            assert job.ended.wait(10) and job.state == "failed" and job.error == queue.SORRY


def test_only_one_job_works_at_any_moment():
    at_work, most = [], []

    def work(progress):
        for i in range(30):
            at_work.append(1)
            most.append(len(at_work))
            time.sleep(0.002)
            at_work.pop()
            progress(i, 30)

    worker = Worker(turn=0.004)
    jobs = [worker.submit(work, owner=i) for i in range(12)]
    assert all(job.ended.wait(30) for job in jobs) and max(most) == 1


def test_limits_are_sentences_and_what_was_stopped_counts_no_more(monkeypatch):
    monkeypatch.setattr(queue, "MOST_WAITING", 3)
    gate, worker, visitors = threading.Event(), Worker(at_once=1), [Jobs(), Jobs()]
    hold = lambda progress: gate.wait(20)  # noqa: E731
    mine = [visitors[0].start(worker, hold) for _ in range(queue.MOST_OWN)]
    with pytest.raises(InputError, match="You have 3 things running here already"):
        visitors[0].start(worker, hold)
    visitors[1].start(worker, hold)
    with pytest.raises(InputError, match="Too many people"):
        visitors[1].start(worker, hold)
    mine[-1].stop.set()
    assert visitors[0].start(worker, hold).live
    for job in mine:
        job.stop.set()
    gate.set()
    assert all(job.ended.wait(20) for job in mine) and [job.state for job in mine][1:] == ["cancelled", "cancelled"]


def test_a_page_says_the_place_in_the_queue_and_the_limit():
    script = """
import streamlit as st
from rmt_viz import session
from rmt_viz.widgets import progress
from rmt_viz.widgets.errors import saying
from rmt_viz.work import queue
import threading
gate = st.session_state.setdefault("gate", threading.Event())
with saying():
    for slot in ("one", "two", "three", "four")[: st.session_state.get("n", 1)]:
        if not session.current(slot):
            session.start(slot, lambda progress: gate.wait(20))
for slot in ("one", "two", "three"):
    if session.current(slot):
        progress.progress(session.current(slot), "Opening", f"{slot} cancel")
"""
    at = AppTest.from_string(script, default_timeout=30)
    at.session_state["n"] = 4
    at.run()
    begun = at.session_state["one"]
    while begun.state == "waiting":  # its thread is about to begin it
        time.sleep(0.01)
    refused = at.error[0].value
    at.session_state["n"] = 3
    at.run()
    texts = [element.proto.text for element in at.get("progress")]
    assert texts == ["Opening", "Waiting, number 1 in the queue", "Waiting, number 2 in the queue"], texts
    assert "3 things running here already" in refused
    at.session_state["gate"].set()
