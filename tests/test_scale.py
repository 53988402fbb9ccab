"""The plan and the job files of docs/scale.md: numbers that follow from their constants, commands that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from benchmarks.scale_plan import BATCH, DOCUMENTS, SEGMENTS, SHORTEST, cpu, operations, rows, seconds, table
from rmt.__main__ import app

ROOT = Path(__file__).parent.parent
PLAN = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
SLURM, KUBERNETES = (ROOT / "docs" / "jobs" / name for name in ("evaluate.slurm", "evaluate.yaml"))


def command(text: str) -> str:
    """What a job file runs behind torchrun's own options, on one line."""
    found = re.search(r"-m rmt (.*?)>>", text.replace("\\\n", " "), re.S)
    return " ".join(found[1].split())


def test_the_plan_has_the_numbers_that_its_constants_give():
    assert table() in PLAN and f"{cpu()['tokens_per_second']:,.0f} tokens a second" in PLAN
    assert f"{cpu()['hours']:.1f} hours of one thread" in PLAN
    assert (
        f"{operations() / 1e10:.1f} × 10¹⁰" in PLAN
        and f"{operations() * DOCUMENTS * SEGMENTS / 1e18:.1f} × 10¹⁸" in PLAN
    )


def test_more_devices_help_until_there_is_one_a_document():
    took = [row["seconds_0.4"] for row in rows()]
    assert took == sorted(took, reverse=True) and seconds(1000, 0.4) == seconds(5000, 0.4) == SEGMENTS * SHORTEST
    assert seconds(64, 0.1) == pytest.approx(4 * seconds(64, 0.4)) and BATCH * 62 < DOCUMENTS <= BATCH * 63


def test_both_job_files_run_one_command_that_exists():
    job = next(part for part in yaml.safe_load_all(KUBERNETES.read_text()) if part["kind"] == "Job")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    (script,) = container["args"]
    both = {command(text) for text in (SLURM.read_text(), script)}
    assert len(both) == 1
    fresh = "TORCH_DISABLE_SHARE_RDZV_TCP_STORE"  # without it restarted processes wait for those that died
    assert f"export {fresh}=1" in SLURM.read_text() and {"name": fresh, "value": "1"} in container["env"]
    name, checkpoint, *options = both.pop().split()
    known = {option for one in get_command(app).commands[name].params for option in one.opts}
    assert name == "evaluate" and checkpoint == '"$CHECKPOINT"'
    assert {option for option in options if option.startswith("--")} <= known
    assert options[options.index("--segments") + 1] == str(SEGMENTS)
    assert options[options.index("--samples") + 1] == str(DOCUMENTS)
    assert job["spec"]["completions"] == job["spec"]["parallelism"] == 8 and "--nnodes 8 " in script


@pytest.mark.parametrize("tool", [["bash", "-n"], ["shellcheck"]], ids=" ".join)
def test_job_scripts_pass_their_linters(tool, tmp_path):
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    script = next(part for part in yaml.safe_load_all(KUBERNETES.read_text()) if part["kind"] == "Job")
    path = tmp_path / "kubernetes.sh"
    (text,) = script["spec"]["template"]["spec"]["containers"][0]["args"]
    path.write_text("#!/bin/bash\n" + text)
    for file in (SLURM, path):
        done = subprocess.run([*tool, str(file)], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
