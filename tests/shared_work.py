"""The script of test_processes.py, run by several processes: all work that they can share, tiny, in float64.

python shared_work.py results FOLDER: trains, then writes FOLDER/results.json. python shared_work.py dies FOLDER: the
second process kills itself twice, once while a task is scored and once while one is trained.
"""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from unittest.mock import patch

from rmt.__main__ import main
from rmt.causes.probe import probes
from rmt.causes.slot_effects import transplant_score
from rmt.causes.survival import report
from rmt.checkpoint import load
from rmt.evaluate import evaluate
from rmt.evaluate.loss_by_position import score
from rmt.evaluate.mechanisms import account, fresh
from rmt.model.processes import my_share, this_process, together
from rmt.tasks.corpora import open_corpus
from rmt.tasks.language_model import Documents
from rmt.train import Trainer
from rmt.train.language_models import LMTrainer
from rmt.train.lm_config import LMConfig
from rmt.train.tasks import TrainConfig

CHECKPOINTS = Path(__file__).parent.parent / "assets" / "checkpoints"
WORDS = "the union of states has a treaty with nations and peace at home is our first care this year".split()
TASK = TrainConfig(
    task="detect", segments=1, layers=1, width=16, heads=2, n_memory=2, vocabulary=1500, segment_length=24, batch=4,
    streams=4, stream_steps=4, threshold=0.0, window=1, log_every=1, save_every=1, warmup=2,
)  # fmt: skip
SCORED = {"segments": [1, 2], "samples": 9, "batch": 2}


def language_model(folder: Path) -> LMConfig:
    texts = folder / "texts"
    texts.mkdir(exist_ok=True)
    for i in range(9):
        (texts / f"{i}.txt").write_text(" ".join(random.Random(i).choices(WORDS, k=200)))
    return LMConfig(
        corpus=str(texts), steps=3, segments=2, batch=8, layers=1, width=16, heads=2, vocabulary=300, n_memory=2,
        segment_length=16, log_every=1, warmup=1,
    )  # fmt: skip


def without_time(rows) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def train_task(folder: Path) -> tuple[list[dict], list[float]]:
    """The curve of a training run, and the sum of each parameter at its end."""
    trainer = Trainer(TASK, with_tokenizer(folder / "task"), cpu=True)
    return without_time(trainer.steps()), sums(trainer.model)


def with_tokenizer(folder: Path) -> Path:
    """A run's folder with a shipped tokenizer in it: to train one takes longer than all the rest."""
    folder.mkdir(exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        shutil.copyfile(CHECKPOINTS / "detect" / "tokenizer.json", folder / f"{os.getpid()}.json")
        os.replace(folder / f"{os.getpid()}.json", folder / "tokenizer.json")
    return folder


def printed(folder: Path) -> str:
    """What this process prints of an evaluation, some of whose samples are in a file that one process left alone."""
    words = ["rmt", "evaluate", str(CHECKPOINTS / "detect"), "--keep", str(folder / "half")]
    words += "--segments 1 2 --samples 9 --batch 2 --device cpu".split()
    out = io.StringIO()
    with patch.object(sys, "argv", words), contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main()
    return out.getvalue()


def sums(model) -> list[float]:
    return [float(p.detach().double().sum()) for p in model.parameters()]


def results(folder: Path) -> dict:
    """Results that do not depend on the number of processes, but for `task`, whose batches do."""
    numbers = {"language model": without_time(LMTrainer(language_model(folder), folder / "lm", cpu=True).steps())}
    numbers["task"] = dict(zip(("lines", "weights"), train_task(folder), strict=True))
    numbers["task"]["weights of all"] = together([numbers["task"]["weights"]])
    detect = load(CHECKPOINTS / "detect", device="cpu").double()
    numbers["accuracy"] = without_time(evaluate(detect, **SCORED))
    numbers["printed"] = together([printed(folder)])
    numbers["facts"] = report(detect, samples=7, segments=2)
    numbers["probes"] = probes(detect, train=14, test=6, moments=(0, 1))
    numbers["transplants"] = transplant_score(detect, distance=1, pairs=7, batch=2)
    language = load(CHECKPOINTS / "lm-rmt", device="cpu").double()
    documents = Documents(language.tokenizer, open_corpus("sotu").held_out.select(range(3)))
    targets = documents.targets(64, 64, 3)
    for control in ("none", "other"):
        losses = score(language, documents, targets, length=64, history=1, control=control, batch=2)
        numbers[f"loss, {control}"] = losses.row()
    numbers["mechanisms"] = together([account(m, range(3 * 16)).row() for m in my_share(list(few()))])
    return numbers


def few():
    return fresh(("rmt", "none", "armt"), segment_length=16)


def dies(folder: Path) -> dict:
    """Score and train; the second process kills itself once in each, and the next start goes on from what is left."""
    process, *_ = this_process()

    def die(why: str) -> None:
        if process == 1 and not (folder / why).exists():
            (folder / why).touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def scored(done: int, total: int) -> None:
        if done > total / 2:
            die("scoring")

    detect = load(CHECKPOINTS / "detect", device="cpu").double()
    rows = without_time(evaluate(detect, **SCORED, keep=folder / "kept", progress=scored))
    lines = []
    trainer = Trainer(TASK, with_tokenizer(folder / "task"), cpu=True)
    for line in trainer.steps():
        lines.append(line)
        if len(lines) == 3:
            die("training")
    return {"accuracy": rows, "task": {"lines": without_time(lines), "weights": sums(trainer.model)}}


if __name__ == "__main__":
    kind, where = sys.argv[1], Path(sys.argv[2])
    made = {"results": results, "dies": dies}[kind](where)
    if this_process()[0] == 0:
        (where / "results.json").write_text(json.dumps({"config": asdict(TASK), **made}))
