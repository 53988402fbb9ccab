"""Faults under a running app, as they come: files cut and damaged under it, disks that fill, processes that die."""

import asyncio
import http.client
import json
import logging
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT, serving, write_trace
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest
from test_trace import header_of, put, with_values

from benchmarks.visitor import Visitor
from rmt import files
from rmt.checkpoint import inspect, load
from rmt.errors import InputError
from rmt.trace import Trace
from rmt_viz import session
from rmt_viz.server import log
from rmt_viz.server.routes import ROUTES
from rmt_viz.shelf.library import Library
from rmt_viz.work.queue import Worker

SUFFIX = ".trace.safetensors"


def get(address: str, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def sentence(answer: tuple[int, bytes]) -> str:
    assert answer[0] == 404, answer
    return json.loads(answer[1])["error"]


@pytest.fixture
def own_assets(tmp_path) -> Path:
    """An assets folder with three toy traces, the first of them what a visitor sees first."""
    folder = tmp_path / "assets"
    (folder / "traces").mkdir(parents=True)
    for name in ("detect", "toy", "other"):
        write_trace(folder / "traces" / f"{name}{SUFFIX}", segments=64)
    for shipped in ("checkpoints", "results", "what_if"):
        (folder / shipped).symlink_to(ROOT / "assets" / shipped, target_is_directory=True)
    return folder


# -- traces


@pytest.mark.slow
def test_traces_cut_damaged_and_deleted_under_a_server_are_sentences(own_assets, tmp_path):
    """The first is cut before the start: the server starts. What is done to the others goes on while it runs."""
    traces = own_assets / "traces"
    os.truncate(traces / f"detect{SUFFIX}", 3000)
    with serving(own_assets, tmp_path / "log") as (address, process):
        assert "cut short" in sentence(get(address, "/rmt/trace/detect/overview"))
        assert get(address, "/rmt/trace/toy/segment/60")[0] == 200
        os.truncate(traces / f"toy{SUFFIX}", 20_000)
        for path in ("segment/60", "overview", "memory/3", "page"):
            assert "cut short" in sentence(get(address, f"/rmt/trace/toy/{path}"))
        other = traces / f"other{SUFFIX}"
        assert get(address, "/rmt/trace/other/segment/1")[0] == 200
        other.write_bytes(with_values("starts", put(1, 2**63 - 2))(other.read_bytes()))
        for path in ("segment/1", "overview", "page"):
            assert "is damaged" in sentence(get(address, f"/rmt/trace/other/{path}"))
        other.unlink()
        assert "no such trace" in sentence(get(address, "/rmt/trace/other/segment/1"))
        write_trace(other, segments=8)
        assert get(address, "/rmt/trace/other/segment/7")[0] == 200
        assert process.poll() is None


def test_an_open_trace_that_is_cut_says_so_wherever_it_is_read(make_trace):
    trace = make_trace("toy", segments=64)
    header, begin = header_of(trace.path.read_bytes())
    os.truncate(trace.path, begin + header["memory"]["data_offsets"][0] + 8)
    for read in (
        lambda: trace.memory,
        lambda: trace.arrays["mass"][60],
        lambda: trace.arrays["loss"].mean(),
        lambda: trace.tokens,
        lambda: trace.segments[3],
    ):
        with pytest.raises(InputError, match=f"toy{SUFFIX} was cut short while it was open"):
            read()
    assert trace.n_segments == 64  # its starts are still there


def test_a_trace_replaced_under_an_open_page_is_the_new_one(make_trace):
    trace = make_trace("toy", segments=8)
    shelf = Library(trace.path.parent)
    before = shelf.open("toy")
    assert shelf.open("toy") is before
    write_trace(trace.path, segments=5)
    assert shelf.open("toy").trace.n_segments == 5
    trace.path.unlink()
    with pytest.raises(InputError, match="no such trace"):
        shelf.open("toy")


def test_what_is_no_file_is_no_trace(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            Trace.open(place)


# -- checkpoints


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"cell": 3, "segment_length": 64}'])
@pytest.mark.parametrize("page", ["models", "train", "length"])
def test_a_damaged_checkpoint_takes_no_page(tmp_path, monkeypatch, page, content):
    """It is left out; the others are still offered."""
    for name in ("detect", "memorize"):
        shutil.copytree(ROOT / "assets" / "checkpoints" / name, tmp_path / name)
    (tmp_path / "detect" / "config.json").write_bytes(content)
    monkeypatch.setattr(session, "CHECKPOINTS", tmp_path)
    at = AppTest.from_string(f"from rmt_viz.pages import {page}\n{page}.page()", default_timeout=60).run()
    assert not at.exception, at.exception
    assert list(session.every_checkpoint()) == ["memorize"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_labels", 10**8), ("num_labels", -1), ("vocab_size", 10**12), ("n_layer", 1e9), ("n_embd", "64"),
        ("n_embd", -64), ("n_positions", 10**15), ("n_head", True), ("n_layer", [2]), ("hidden_size", 2**70),
    ],
)  # fmt: skip
def test_a_configuration_with_an_impossible_size_is_refused_before_anything_is_made(tmp_path, name, value):
    """In a second and in little memory: a hundred million labels once took 11 GB."""
    shutil.copytree(ROOT / "assets" / "checkpoints" / "detect", tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    config = json.loads(file.read_text())
    config["backbone"]["config"][name] = value
    file.write_text(json.dumps(config))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=f"{name} is "):
        load(tmp_path / "run", device="cpu")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000, "kilobytes"


@pytest.mark.parametrize(
    "change",
    [
        {"classes": [1, 2]}, {"classes": "ab"}, {"task": ["detect"]}, {"segment_length": 10**12},
        {"segment_length": -1}, {"segment_length": 1.5}, {"alignment": 3}, {"cell": {"kind": "rmt", "options": []}},
        {"cell": {"kind": "rmt", "options": {"n_memory": 10**9}}}, {"cell": {"kind": "rmt", "options": {"x": {}}}},
        {"cell": {"kind": "rmt", "options": {"n_memory": -3}}}, {"backbone": None}, {"backbone": {"head": "lm"}},
        {"cell": {"kind": "rmt", "options": {"n_memory": 4, "initial_std": float("nan")}}},
    ],
)  # fmt: skip
def test_our_configuration_is_checked_field_by_field(tmp_path, change):
    shutil.copytree(ROOT / "assets" / "checkpoints" / "detect", tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    for opening in (load, inspect):
        with pytest.raises(InputError):
            opening(tmp_path / "run")


# -- what killed processes leave


MAKE = "import time; from rmt.files import TemporaryFolder; f = TemporaryFolder(); print(f.name, flush=True); "
MAKE += "time.sleep(600)"


def test_what_killed_servers_left_is_deleted_and_what_lives_is_not(tmp_path, monkeypatch):
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    dead, alive = (
        subprocess.Popen([sys.executable, "-c", MAKE], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    )
    try:
        folders = [Path(process.stdout.readline().decode().strip()) for process in (dead, alive)]
        dead.kill()
        dead.wait()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        mine, stranger = files.TemporaryFolder(), tmp_path / "rmt-viz-tmp-file"
        stranger.write_text("no folder")
        (tmp_path / "other").mkdir()
        assert files.sweep() == 0, "they are young"
        monkeypatch.setattr(files, "YOUNG", -1)
        assert files.sweep() == 1
        left = {path.name for path in tmp_path.iterdir()}
        assert left == {folders[1].name, Path(mine.name).name, stranger.name, "other"}
        mine.cleanup()
    finally:
        for process in (dead, alive):
            process.kill()
            process.communicate()


# -- sessions


APP = """
import time
import streamlit as st
from rmt_viz import session
from rmt_viz.work import queue
queue.PATIENCE = 2
def work(progress):
    for i in range(100_000):
        time.sleep(0.02)
        progress(i, 100_000)
if not session.current("work"):
    session.start("work", work)
st.text(str(session.worker().count()["running"]))
"""


@pytest.mark.slow
def test_a_visitors_job_ends_with_the_session_and_outlives_a_short_absence(tmp_path):
    """Two visitors start what takes long; one closes the page, the other stays; a third looks."""

    async def come_and_go(address: str) -> tuple[int, int]:
        async with Visitor(address) as stays:
            await stays.open()
            async with Visitor(address) as leaves:
                await leaves.open()
            await stays.rerun()
            soon = int(stays.of("text")[0].body)
            for _ in range(200):
                await asyncio.sleep(0.5)
                await stays.rerun()
                if int(stays.of("text")[0].body) == 1:
                    break
            return soon, int(stays.of("text")[0].body)

    (tmp_path / "app.py").write_text(APP)
    with serving(tmp_path, tmp_path / "log", str(tmp_path / "app.py"), PYTHONPATH=str(ROOT)) as (address, _):
        assert asyncio.run(come_and_go(address)) == (2, 1)


def test_the_server_says_how_it_is(monkeypatch):
    monkeypatch.setattr(session, "worker", lambda: Worker())
    answer = TestClient(Starlette(routes=ROUTES)).get("/healthz")
    assert answer.status_code == 200 and answer.json() == {"status": "ok", "running": 0, "waiting": 0}


def test_an_event_is_one_line_without_what_a_visitor_wrote(capsys):
    log.begin()
    log.begin()
    logger = logging.getLogger("rmt_viz.anything")
    try:
        try:
            raise ValueError("my secret\ntext")
        except ValueError:
            logger.exception("a job failed")
        logger.info("an upload of %d bytes was %s", 3, "refused")
        first, second = capsys.readouterr().err.splitlines()
    finally:
        root = logging.getLogger("rmt_viz")
        root.handlers.clear()
        root.propagate = True
    assert "a job failed: ValueError at test_faults.py:" in first and "secret" not in first
    assert second.endswith("INFO an upload of 3 bytes was refused")
