"""BABILong's table on page Length: which lines it has, and what it says of the greatest length."""

import json
import sys
from types import SimpleNamespace

import pytest

from benchmarks import babilong as benchmark
from rmt.errors import InputError
from rmt_viz.findings import babilong
from rmt_viz.shelf import results

OTHERS = [{"model": "Another", "trained": "on the task", "accuracy": {"qa1": {"4k": 100, "128k": 78.5}}}]


def row(**other):
    known = {"task": "qa1", "checkpoint": "ours", "length": "4k", "tokens": 4032, "samples": 200}
    return {**known, "accuracy": 0.945, "low": 0.904, "high": 0.969, **other}


def written(folder, rows):
    document = {"command": "c", "words_per_token": 0.75, "others": OTHERS, "results": rows}
    (folder / "babilong.json").write_text(json.dumps(document))
    return results.read("babilong", folder)


def test_ours_stand_beside_what_others_report_at_the_lengths_that_anybody_has(tmp_path):
    rows = [row(), row(never=True, accuracy=0.5), row(control="reset", accuracy=0.02), row(length="32k", tokens=32000)]
    table = babilong.table(written(tmp_path, rows), "qa1")
    assert list(table) == ["Model", "Trained", "4k tokens", "32k tokens", "128k tokens"]
    assert table["Model"] == [
        "ours", "ours, asked about what was never mentioned", "ours, memory reset at each boundary", "Another",
    ]  # fmt: skip
    assert table["4k tokens"] == [
        "94.5% (90.4%–96.9%, 200 asked)", "50.0% (90.4%–96.9%, 200 asked)", "2.0% (90.4%–96.9%, 200 asked)", "100%",
    ]  # fmt: skip
    assert table["128k tokens"] == ["–", "–", "–", "78.5%"]


def test_each_checkpoint_has_lines_of_its_own(tmp_path):
    longer = {"checkpoint": "longer", "tokens": 4000}
    rows = [row(), row(**longer, accuracy=0.99), row(**longer, never=True, accuracy=0.97)]
    results = written(tmp_path, rows)
    table = babilong.table(results, "qa1")
    assert table["Model"][:3] == ["ours", "longer", "longer, asked about what was never mentioned"]
    assert [cell.split()[0] for cell in table["4k tokens"][:3]] == ["94.5%", "99.0%", "97.0%"]
    assert "99.0% of 200" in (found := babilong.finding(results, "qa1")) and found.endswith("by longer")


def test_the_finding_is_of_what_was_told_at_the_greatest_length(tmp_path):
    rows = [
        row(),
        row(length="32k", tokens=32000, accuracy=0.85),
        row(length="32k", tokens=32000, never=True, accuracy=1),
    ]
    found = babilong.finding(written(tmp_path, rows), "qa1")
    assert "At 32,000 tokens (24,000 words) 85.0% of 200 questions about what was told" in found


def test_a_row_that_is_not_one_is_refused(tmp_path):
    with pytest.raises(InputError, match="'never'"):
        written(tmp_path, [row(never="yes")])


def test_the_bundled_table_has_its_controls_beside_every_task():
    bundled = results.read("babilong")
    for task in babilong.tasks(bundled):
        kinds = {(r.control, r.never) for r in bundled.rows if r.task == task}
        assert {("none", False), ("reset", False)} <= kinds
        assert all(r.low <= r.accuracy <= r.high for r in bundled.rows)


def test_rows_that_were_measured_with_these_weights_are_kept_and_the_others_measured(tmp_path, monkeypatch, capsys):
    measured, file = [], tmp_path / "before.json"

    def evaluate(model, *, segments, samples, never, control, **_):
        measured.append((segments, never, control))
        return [{"accuracy": 0.5, "control": control, "samples": samples}]

    def run(fingerprint: str, *lengths: str, samples: int = 20) -> list[dict]:
        model = SimpleNamespace(segment_length=64, about=SimpleNamespace(name="ours", fingerprint=fingerprint))
        monkeypatch.setattr(benchmark, "load", lambda folder: model)
        monkeypatch.setattr(benchmark, "made_by", lambda model: {"fingerprint": fingerprint})
        add = ["--add", str(file)] if file.exists() else []
        monkeypatch.setattr(sys, "argv", ["babilong", "ours", "--tokens", *lengths, "--samples", str(samples), *add])
        measured.clear()
        benchmark.main()
        file.write_text(capsys.readouterr().out)
        return json.loads(file.read_text())["results"]

    monkeypatch.setattr(benchmark, "evaluate", evaluate)
    monkeypatch.setattr(benchmark, "words_per_token", lambda model: 0.75)
    assert len(run("a", "4k")) == 3 and len(measured) == 3
    rows = run("a", "4k", "32k")
    assert measured == [([500], False, "none"), ([500], True, "none")] and len(rows) == 5
    assert len({json.dumps(row, sort_keys=True) for row in rows}) == 5
    assert len(run("a", "4k", samples=10)) == 5 and not measured, "fewer samples say nothing new"
    rows = run("a", "4k", samples=40)
    assert [row["samples"] for row in rows] == [20, 20, 40, 40, 40] and len(measured) == 3
    assert len(run("b", "4k")) == 3 and len(measured) == 3, "other weights: nothing of before counts"
