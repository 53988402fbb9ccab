"""Faults of replays under an open page: a model that returns nan, a full memory, a trace cut, changed or deleted."""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import ROOT
from families import make
from starlette.applications import Starlette
from starlette.testclient import TestClient
from unpacking import unpack

from rmt.backbone import HFBackbone
from rmt.memory.recurrent import RecurrentMemory
from rmt.model import Model
from rmt.recorder import record
from rmt_viz import session
from rmt_viz.server.routes import ROUTES
from rmt_viz.shelf.library import Library
from rmt_viz.work.queue import NO_MEMORY
from rmt_viz.work.replays import NO_NUMBERS, Replays

LENGTH = 48


@pytest.fixture
def reader() -> Model:
    torch.manual_seed(0)
    backbone = HFBackbone(make("gpt2"))
    return Model(backbone, RecurrentMemory(backbone.dim, 3), segment_length=LENGTH).eval()


@pytest.fixture
def run(reader, tmp_path) -> Path:
    path = tmp_path / "toy.trace.safetensors"
    record(reader, np.arange(3 * LENGTH) % 40, detail="thin", out=path)
    return path


@pytest.fixture
def ask(reader, run, monkeypatch):
    """ask(path) asks a route until its replay has ended: the status, and the slice's meta or the sentence."""
    shelf, replays = Library(run.parent), Replays(lambda _: reader)
    monkeypatch.setattr(session, "library", lambda: shelf)
    monkeypatch.setattr(session, "replays", lambda: replays)
    client = TestClient(Starlette(routes=ROUTES), raise_server_exceptions=False)

    def until(path: str) -> tuple[int, dict | str]:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            answer = client.get(f"/rmt/trace/toy/{path}")
            if answer.status_code != 200:
                return answer.status_code, answer.json()["error"]
            meta = unpack(answer.content)["meta"]
            if meta["state"] != "loading":
                return 200, meta
        raise AssertionError("the replay did not end")

    return until


def test_a_model_that_returns_nan_is_a_sentence_beside_what_was_recorded(ask, reader):
    assert ask("attention/0")[1]["state"] == "ready"
    for part in (reader.backbone.model.transformer.h[0].ln_1, reader.backbone.model.lm_head):
        part.register_forward_hook(lambda _, given, found: found * torch.nan)
    for path in ("attention/1", "words/1"):
        status, meta = ask(path)
        assert status == 200 and meta["state"] == "absent" and meta["why"] == NO_NUMBERS, meta


@pytest.mark.skipif(sys.platform != "linux", reason="limits the memory of this process, as Linux does it")
def test_a_full_memory_is_a_sentence_and_the_next_replay_runs(ask, reader):
    """The address space ends where it is now, but for as much as the work around the maps needs."""
    big = lambda *_: torch.empty(1 << 32, dtype=torch.uint8)[:0].numel() or None  # noqa: E731  # 4 GB, untouched
    assert ask("attention/0")[1]["state"] == "ready"
    reader.backbone.model.transformer.h[0].register_forward_pre_hook(big)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + (24 << 20), before[1]))
    try:
        status, meta = ask("attention/1")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert status == 200 and meta["state"] == "absent" and meta["why"] == NO_MEMORY, meta
    reader.backbone.model.transformer.h[0]._forward_pre_hooks.clear()
    assert ask("attention/2")[1]["state"] == "ready"


def test_a_trace_cut_changed_or_deleted_between_two_replays_is_a_sentence_or_the_new_one(ask, reader, run):
    assert ask("attention/0")[1]["state"] == "ready"
    whole = run.read_bytes()
    os.truncate(run, len(whole) // 2)
    status, told = ask("attention/1")
    assert status == 404 and "cut short" in told
    run.unlink()
    assert "no such trace" in ask("attention/1")[1]
    record(reader, np.arange(LENGTH) % 40, detail="thin", out=run)
    status, meta = ask("attention/0")
    assert status == 200 and meta["state"] == "ready"
    assert "goes from 0 to 0" in ask("attention/1")[1]


TOGETHER = """
import threading
from rmt_viz.work import engine
from rmt_viz.work.queue import Worker
def why(_):
    from rmt.causes.why import why
def replay(_):
    from rmt.recorder import replay
def score(_):
    from rmt.evaluate import evaluate
jobs = [Worker(1, prepare=engine.load).submit(work) for work in (why, replay, score)]
for job in jobs:
    job.ended.wait()
print(*(job.state for job in jobs))
"""


@pytest.mark.slow
def test_the_first_jobs_of_a_server_may_come_together():
    """A what-if, a replay and a score on three threads, before anything of the engine was imported."""
    done = subprocess.run([sys.executable, "-c", TOGETHER], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["done"] * 3, done.stderr[-2000:]
