"""Metrics in real trackers: a short run of each kind of training with each tracker, whose numbers are read again.

make trackers calls this with the Python of an environment that has tensorboard, wandb and trackio; W&B and Trackio work
without a network. A tracker that is not installed is named and left out.
"""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIZES = "--layers 1 --width 16 --heads 2 --n-memory 2 --json"
DETECT = "train --task detect --cpu --segments 1 --vocabulary 1500 --segment-length 24 --batch 2 --threshold 0"
STORIES = "train-stories --kinds qa1 --device cpu --go-on --patience 1 --first 11 --segment-length 40 --questions 2"
STORIES += " --rows 3 --stream-steps 3 --log-every 1 --vocabulary 1000"
RUNS = {"a task": f"{DETECT} {SIZES}".split(), "stories": f"{STORIES} {SIZES}".split()}


def main() -> None:
    wrong = 0
    for name, read in READERS.items():
        if find_spec(name) is None:
            print(f"{name} is not installed")
            continue
        for kind, arguments in RUNS.items():
            with tempfile.TemporaryDirectory(prefix="rmt-viz-trackers-") as folder:
                wrong += not tried(name, kind, arguments, Path(folder), read)
    sys.exit(bool(wrong))


def tried(name: str, kind: str, arguments: list[str], folder: Path, read: Callable[[Path], dict]) -> bool:
    """Train with a tracker; whether it holds what metrics.jsonl holds."""
    places = {"PYTHONPATH": ROOT, "WANDB_DIR": folder, "TRACKIO_DIR": folder / "trackio"}
    environment = os.environ | {name: str(place) for name, place in places.items()}
    environment |= {"WANDB_MODE": "offline", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "rmt", *arguments, "--track", name, "--out", str(folder / "run")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"{name}, {kind}: exit code {done.returncode}\n{done.stderr[-1500:]}")
        return False
    lines = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
    found = read(folder)
    expected = {line["step"]: line["loss"] for line in lines}
    same = found.keys() == expected.keys() and all(abs(found[step] - loss) < 1e-5 for step, loss in expected.items())
    print(f"{name}, {kind}: {len(found)} losses of {len(expected)}, {'the same' if same else (found, expected)}")
    return same


def tensorboard(folder: Path) -> dict[int, float]:
    """Step -> loss of the event files that TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "run" / "rmt"))
    events.Reload()
    return {event.step: event.value for event in events.Scalars("train/loss")}


def wandb(folder: Path) -> dict[int, float]:
    """Step -> loss of an offline run, as `wandb sync` would send it."""
    from wandb.proto import wandb_internal_pb2 as messages

    (path,) = folder.rglob("*.wandb")
    found = {}
    for data in _records(path.read_bytes()):
        record = messages.Record()
        record.ParseFromString(data)
        values = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
        if "train/loss" in values:
            found[int(values.get("_step", record.history.step.num))] = values["train/loss"]
    return found


def _records(data: bytes) -> Iterator[bytes]:
    """The records of an offline run's file: seven bytes, then LevelDB's log, blocks of 32 KiB with parts of records."""
    at, block, record = 7, 1 << 15, b""
    while at + 7 <= len(data):
        if block - at % block < 7:  # the rest of a block is empty
            at += block - at % block
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        record += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def trackio(folder: Path) -> dict[int, float]:
    """Step -> loss of the database that Trackio's page reads."""
    (path,) = (folder / "trackio").glob("*.db")
    with sqlite3.connect(path) as base:
        rows = base.execute("select step, metrics from metrics").fetchall()
    read = {step: json.loads(text) for step, text in rows}
    return {step: values["train/loss"] for step, values in read.items() if "train/loss" in values}


READERS = {"tensorboard": tensorboard, "wandb": wandb, "trackio": trackio}

if __name__ == "__main__":
    main()
