"""Shared code for tests of training: the smallest run that uses everything, and the files it leaves."""

import json
import os
from pathlib import Path

from rmt.checkpoint import load
from rmt.train import TrainConfig

ROOT = Path(__file__).parent.parent
ENVIRONMENT = dict(os.environ)  # as it was before accelerate wrote into it, for processes of their own
TINY = TrainConfig(
    task="detect", segments=2, layers=1, width=16, heads=2, n_memory=2, vocabulary=1500, segment_length=24, batch=4,
    streams=4, stream_steps=3, threshold=0.0, window=2, log_every=1, save_every=1, warmup=2,
)  # fmt: skip


def weights(folder):
    """The weights in a run's folder."""
    return load(folder, device="cpu").state_dict()


def lines(folder):
    """The metrics in a run's folder, a dict for each line."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]
