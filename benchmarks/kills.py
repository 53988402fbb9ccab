"""Kill recordings, trainings and evaluations at random moments, and see that nothing reported as saved is lost.

Each of the three works on one place until it is done: killed (SIGKILL) at a random moment, checked, begun again by the
same command. After a kill what is there must be readable and hold at least what the work had reported; at the end it
must be, to the bit, what an undisturbed work made. Torch is imported once, and each work is a fork.
"""

import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.common import arguments, report
from rmt.checkpoint import load
from rmt.evaluate import evaluate
from rmt.recorder import record
from rmt.trace import Trace, validate
from rmt.train import TrainConfig, Trainer

CHECKPOINT = Path(__file__).parents[1] / "assets" / "checkpoints" / "detect"
TINY = TrainConfig(
    task="detect", segments=2, layers=1, width=16, heads=2, n_memory=2, segment_length=24, batch=4,
    streams=2, stream_steps=2, threshold=0.0, window=2, log_every=1, save_every=1, warmup=2,
)  # fmt: skip
LEAST = 0.02  # of an undisturbed work's time: a kill may come as early, and later up to all of it


@dataclass
class Work:
    """One of the three. run(place, report): the whole work, which reports how much it has saved. saved(place): how much
    is there, readable. result(place): what an undisturbed work is compared by. begin(place): makes what it starts from.
    """

    name: str
    run: Callable
    saved: Callable
    result: Callable
    begin: Callable = lambda place: None


def recording(model) -> Work:
    """A shipped model over 12 segments, in full detail."""
    ids = np.random.default_rng(0).integers(4, 1000, 12 * model.segment_length - 3)

    def saved(place: Path) -> int:
        if not place.exists():
            return 0
        assert validate(place) == [], validate(place)
        return Trace.open(place).done

    run = lambda place, report: record(model, ids, detail="thin", out=place, progress=lambda n, _: report(n))  # noqa: E731
    return Work("recording", run, saved, Path.read_bytes)


def training() -> Work:
    """A tiny run with two stages and streams, saved at each step."""

    def begin(place: Path) -> None:
        place.mkdir()
        shutil.copyfile(CHECKPOINT / "tokenizer.json", place / "tokenizer.json")

    def run(place: Path, report: Callable) -> None:
        for line in Trainer(TINY, place, cpu=True).steps():
            report(line["step"])

    def saved(place: Path) -> int:
        if (place / "model.safetensors").exists():
            load(place, device="cpu")
        trainer = Trainer(TINY, place, cpu=True)  # it opens what it would go on from
        return trainer.at.step

    def result(place: Path) -> tuple:
        rows = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
        weights = load(place, device="cpu").state_dict()
        return _timeless(rows), {name: value.numpy().tobytes() for name, value in weights.items()}

    return Work("training", run, saved, result, begin)


def evaluation(model) -> Work:
    """Scores of a shipped model at two lengths, kept batch by batch."""

    def rows(place: Path, progress=None) -> list[dict]:
        given = {"segments": [1, 2], "samples": 8, "batch": 1, "keep": place, "progress": progress}
        return _timeless(evaluate(model, **given))

    def run(place: Path, report: Callable) -> None:
        count = itertools.count()
        rows(place, lambda done, total: report(next(count) and kept(place)))

    def kept(place: Path) -> int:
        return max(place.read_bytes().count(b"\n") - 1, 0) if place.exists() else 0

    return Work("evaluation", run, kept, rows)


def _timeless(rows) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def killed(work: Work, place: Path, seconds: float | None, began_with: int = 0) -> tuple[bool, int, float]:
    """Do the work in a fork and kill it after so many seconds: whether it was killed, what it reported, how long."""
    reading, writing = os.pipe()
    began, child = time.monotonic(), os.fork()
    if not child:
        os.close(reading)
        code = 1
        try:
            work.run(place, lambda n: os.write(writing, b"%d\n" % n))
            code = 0
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read().splitlines()
    status = os.waitpid(child, 0)[1]
    assert status in (0, signal.SIGKILL), f"{work.name} ended with {status}"
    return status == signal.SIGKILL, int(told[-1]) if told else began_with, time.monotonic() - began


def main() -> None:
    given = arguments(__doc__, kills=200, seed=0)
    rng, began = random.Random(given.seed), time.monotonic()
    torch.set_num_threads(1)
    model = load(CHECKPOINT, device="cpu")
    with tempfile.TemporaryDirectory(prefix="rmt-kills-") as name:
        folder, works = Path(name), [recording(model), training(), evaluation(model)]
        whole, usual = {}, {}
        for work in works:
            place = folder / f"{work.name} whole"
            work.begin(place)
            usual[work.name] = killed(work, place, None)[2]
            whole[work.name] = work.result(place)
        kills, ended = dict.fromkeys(usual, 0), dict.fromkeys(usual, 0)
        for turn in itertools.count():
            if sum(kills.values()) >= given.kills:
                break
            work = works[turn % len(works)]
            place, before = folder / f"{work.name} {turn}", 0
            work.begin(place)
            while sum(kills.values()) < given.kills:
                hit, reported, took = killed(work, place, usual[work.name] * rng.uniform(LEAST, 1), before)
                there = work.saved(place)
                assert there >= max(reported, before), f"{work.name}: {reported} reported, {there} there"
                kills[work.name] += hit
                before = there
                if not hit:
                    usual[work.name] = min(usual[work.name], took)
                    break
            killed(work, place, None)
            assert work.result(place) == whole[work.name], f"{work.name}: the end is another one"
            ended[work.name] += 1
            print(f"kills so far: {kills}; gone on to the same end: {ended}", file=sys.stderr, flush=True)
            shutil.rmtree(place) if place.is_dir() else place.unlink()
    rows = [
        {"what": kind, "kills": n, "gone_on_to_the_same_end": ended[kind], "seconds_undisturbed": round(usual[kind], 2)}
        for kind, n in kills.items()
    ]
    rows.append({"what": "all", "kills": sum(kills.values()), "lost": 0, "seconds": round(time.monotonic() - began)})
    report(rows, given.json)


if __name__ == "__main__":
    main()
