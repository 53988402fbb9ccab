"""Shared code for tests of training: the smallest run that uses everything, and the files it leaves."""

import json
import os
from pathlib import Path

from accelerate.tracking import GeneralTracker

from rmt.checkpoint import load
from rmt.train import TrainConfig, tracking

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


class ListTracker(GeneralTracker):
    """A tracker as accelerate knows them, in place of TensorBoard: what it is given is in `logged`."""

    name, requires_logging_directory = "tensorboard", False

    def __init__(self, logged: list):
        super().__init__()
        self.logged = logged

    @property
    def tracker(self):
        return self

    def store_init_configuration(self, values):
        self.logged.append(values)

    def log(self, values, step=None, **others):
        self.logged.append((step, values))

    def finish(self):
        self.logged.append("finished")


def listed(monkeypatch) -> list:
    """Put a `ListTracker` in the place of TensorBoard; the list of what it is given."""
    logged: list = []
    monkeypatch.setattr(tracking, "filter_trackers", lambda names, folder: [ListTracker(logged)])
    monkeypatch.setattr(tracking, "find_spec", lambda name: name == "tensorboard" or None)
    return logged
