"""The script that breaks the engine a line at a time: its table fits the code, and it leaves everything as it was."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def mutate(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tests" / "tools"))
    return importlib.import_module("mutate")


def test_every_fault_stands_once_where_the_table_says_and_is_still_python(mutate):
    assert len({(fault.file, fault.old, fault.new) for fault in mutate.FAULTS}) == len(mutate.FAULTS) > 150
    for fault in mutate.FAULTS:
        text = (ROOT / fault.file).read_text()
        assert text.count(fault.old) == 1 and fault.new != fault.old and fault.why, fault
        ast.parse(text.replace(fault.old, fault.new))
        assert all((ROOT / test).is_file() for test in mutate.TESTS[fault.file])
    assert {fault.file for fault in mutate.FAULTS} == set(mutate.TESTS)


def test_a_fault_is_put_into_a_copy_and_taken_out_again_whatever_happens(mutate, monkeypatch, tmp_path):
    monkeypatch.setattr(mutate, "COPIED", ("rmt",))
    tree, fault = mutate.copied(tmp_path / "tree"), mutate.FAULTS[0]
    before = (tree / fault.file).read_text()
    seen = []

    def stopped(tree, tests, log):
        seen.append((tree / fault.file).read_text())
        raise KeyboardInterrupt

    monkeypatch.setattr(mutate, "fails", stopped)
    with pytest.raises(KeyboardInterrupt):
        mutate.judged(tree, fault)
    assert seen == [before.replace(fault.old, fault.new)] and (tree / fault.file).read_text() == before
    assert (ROOT / fault.file).read_text() == before and tree != ROOT


def test_what_the_tests_notice_is_killed_and_what_they_do_not_survives(mutate, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(mutate, "COPIED", ("rmt",))
    tree = mutate.copied(tmp_path / "tree")
    monkeypatch.setattr(mutate, "fails", lambda tree, tests, log: "EVALUATION = 1" in (tree / file).read_text())
    file = next(fault.file for fault in mutate.FAULTS if fault.new == "EVALUATION = 1")
    found = {fault.new: mutate.judged(tree, fault)[1] for fault in mutate.FAULTS if fault.file == file}
    assert found.pop("EVALUATION = 1") is True and set(found.values()) == {False}
    assert "killed" in capsys.readouterr().out
