"""The command for a GPU, tried on a CPU: each part says what it found, and what does not fit its time is said."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.verdicts import MARK, SkipError, Verdicts, readable

ROOT = Path(__file__).parent.parent


def call(*arguments) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--small", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_parts_say_what_they_found(tmp_path):
    done = call("--only", "2,7,9", "--minutes", "3", "--json", "--out", tmp_path)
    found = json.loads((tmp_path / "gpu.json").read_text())
    assert done.returncode == 0 and done.stdout == "" and found["machine"]["device"] == "cpu"
    assert {number: part["ended"] for number, part in found["parts"].items()} == dict.fromkeys("279", "done")
    kernels, memory = ([line["verdict"] for line in found["parts"][part]["verdicts"]] for part in "27")
    assert set(kernels) == {"PASS"} and len(kernels) == 6 and memory == ["SKIP", "SKIP"]
    # Of layers run at once, what the time allows; the rest is skipped aloud (tests/test_diagonal.py holds all of it).
    assert {line["verdict"] for line in found["parts"]["9"]["verdicts"]} <= {"PASS", "FIGURE", "SKIP"}
    assert found["counts"]["FAIL"] == 0 and found["counts"]["PASS"] >= 6
    assert "PASS   2 flash fp32  passed 6" in done.stderr and (tmp_path / "gpu.log").exists()


def answered(monkeypatch, line: str, *arguments) -> int | str:
    """How the command ends in this process, where the process that is asked what the machine is prints this line."""

    def start(number: int, *_) -> subprocess.Popen:
        assert number == 0
        return subprocess.Popen(["printf", "%s\\n", line], stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(gpu, "start", start)
    monkeypatch.setattr(sys, "argv", ["gpu", "--small", *arguments])
    with pytest.raises(SystemExit) as end:
        gpu.main()
    return end.value.code


def test_what_does_not_fit_the_time_is_left_out_aloud(monkeypatch, capsys):
    line = MARK + json.dumps({"device": "cpu"})
    assert answered(monkeypatch, line, "--device", "cpu", "--only", "5,3", "--minutes", "0.01", "--json") == 0
    out, error = capsys.readouterr()
    parts = json.loads(out)["parts"]
    assert {part["ended"] for part in parts.values()} == {"no time was left"} and set(parts) == {"3", "5"}
    assert error.count("why no time was left") == 2


def test_a_machine_without_a_gpu_and_a_part_that_is_not_there_are_said(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match="give --device cpu --small to try this command") as end:
        gpu.machine("cuda")
    assert answered(monkeypatch, end.value.code, "--only", "2") == end.value.code, (
        "which Python prints, and ends with 1"
    )
    assert answered(monkeypatch, "", "--only", "10") == 2
    assert "There is no part 10" in capsys.readouterr().err


def said(capsys) -> list[dict]:
    return [json.loads(line.removeprefix(MARK)) for line in capsys.readouterr().out.splitlines()]


def test_a_check_that_breaks_stops_no_other(capsys):
    def broken():
        raise ValueError("no such thing")

    def skipped():
        raise SkipError("nothing to try it on")

    verdicts = Verdicts(60)
    verdicts.each("one", broken)
    verdicts.each("two", skipped)
    verdicts.each("three", lambda: (True, {"found": 0.123456}))
    verdicts.each("four", lambda: (False, {"wrong": []}))
    verdicts.each("five", lambda: (None, {"a": {"b": [1.0, 2.0]}}))
    lines = said(capsys)
    assert [line["verdict"] for line in lines] == ["FAIL", "SKIP", "PASS", "FAIL", "FIGURE"]
    assert lines[0]["why"] == "ValueError: no such thing" and lines[2]["found"] == 0.1235
    assert [readable(4, line) for line in lines[3:]] == ["FAIL   4 four", "FIGURE 4 five  a b=1.0, 2.0"]


def test_a_part_ends_where_its_time_or_its_device_is_gone(capsys):
    Verdicts(-1).each("late", lambda: (True, {}))
    assert said(capsys) == [{"verdict": "SKIP", "what": "late", "why": "no time was left"}]

    def lost():
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    with pytest.raises(SystemExit, match="the device's context is lost"):
        Verdicts(60).each("lost", lost)
    assert said(capsys)[0]["verdict"] == "FAIL"


def test_the_results_say_what_was_run_on_a_gpu():
    """The bundled result and the account of it in docs/results.md agree, on what was never run too."""
    found = json.loads((ROOT / "assets" / "results" / "gpu.json").read_text(encoding="utf-8"))
    text = " ".join((ROOT / "docs" / "results.md").read_text(encoding="utf-8").split())
    lines = {number: part["verdicts"] for number, part in found["parts"].items()}
    said = [line["verdict"] for part in lines.values() for line in part]
    counts = {kind: said.count(kind) for kind in ("PASS", "FAIL", "SKIP", "FIGURE")}
    assert counts == found["counts"] and set(lines) == set("1234")
    assert found["machine"]["device"] in text and f"PyTorch {found['machine']['torch']}" in text
    assert f"{counts['PASS']} checks passed, none failed, {counts['SKIP']} were not run" in text and not counts["FAIL"]
    tests = {key: sum(line.get(key, 0) for line in lines["1"]) for key in ("passed", "skipped")}
    assert f"{tests['passed']} tests marked gpu passed; {tests['skipped']} skipped" in text
    assert max(line.get(key, 0) for line in lines["4"] for key in ("read", "write", "answer_read", "mass")) < 3e-7
    assert all(line.get("other", 0) == 0 for line in lines["3"]) and "What no GPU has measured yet: any time" in text
